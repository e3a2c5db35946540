"""Which rows shape a face: those that the layers read, of every kind of generator."""

import pytest
import torch
from reference_generators import OFFICIAL, reference_generator

from models.expression.rows import emotion_rows, shaping_rows
from models.stylegan.default import load_default_generator
from models.stylegan.generator import Generator


def reads(generator: Generator, resolution: int) -> list[int]:
    """The rows that change what the layers up to `resolution` hand on."""
    ws = generator.broadcast(generator.code_of_seed(1)).clone()
    before = generator.features(ws, resolution)
    found = []
    for row in range(generator.num_ws):
        moved = ws.clone()
        moved[:, row] += torch.randn(ws.shape[-1], generator=torch.Generator().manual_seed(row))
        if not torch.equal(generator.features(moved, resolution), before):
            found.append(row)
    return found


@pytest.mark.parametrize("resolution", [16, 32])
@pytest.mark.parametrize("name", OFFICIAL)
def test_rows_are_those_that_the_layers_read(name: str, resolution: int) -> None:
    generator = reference_generator(name)
    assert reads(generator, resolution) == list(range(generator.rows_read(resolution)))


def test_of_the_default_generator_they_are_those_that_the_shipped_expressions_move() -> None:
    generator = load_default_generator()
    assert reads(generator, 16) == list(range(generator.rows_read(16)))
    assert shaping_rows(generator) == slice(1, 13)
    assert emotion_rows(generator) == slice(3, 13)


@pytest.mark.parametrize("name", OFFICIAL)
def test_a_generator_of_too_few_layers_has_none(name: str) -> None:
    with pytest.raises(ValueError, match=r"features of 64² were asked for"):
        shaping_rows(reference_generator(name))
