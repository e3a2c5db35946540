"""Fitting slow colours: it helps, and leaves all else of a head as it was."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from models.stylegan import head as head_module
from models.stylegan.default import load_default_generator
from models.stylegan.head import FINE_256, Design
from models.stylegan.slow_colour import SlowColour
from tools import fit_head, fit_slow_colour, head_pairs
from tools.fit_head import Material, first_guess
from tools.fit_slow_colour import answers, fit, in_squares, main, mean_error
from tools.head_pairs import draw_pairs

SMALL = Design(features=128, picture=256, grown=256, width=16, depth=1)
SMALL_FAST = Design(features=64, picture=256, grown=192, width=16, depth=1)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faces")


@pytest.fixture(scope="module", autouse=True)
def _few() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (head_pairs, fit_head, fit_slow_colour):
            patch.setattr(module, "HELD_OUT", 2)
        patch.setattr(fit_slow_colour, "BATCH", 4)
        yield


@pytest.mark.parametrize("design", [SMALL, SMALL_FAST], ids=["from 128", "from 64"])
def test_fitting_brings_the_colours_nearer(work: Path, design: Design) -> None:
    generator = load_default_generator()
    material = Material(generator, draw_pairs(generator, 7, work), design)
    head = first_guess(material)
    squares = in_squares(head, material)
    assert mean_error(head.slow_colour, squares) < 20  # the generator's own layers on averages: colours already
    seen = squares.some(torch.arange(2, 7))

    def error(slow: SlowColour) -> float:
        with torch.inference_mode():
            return float(answers(slow, seen)[1].abs().mean())

    before = error(head.slow_colour)
    assert error(fit(head.slow_colour, squares, minutes=0.2)) < 0.9 * before  # a busy machine takes few steps


def test_only_the_slow_colours_are_written(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_file(FINE_256.weights)
    shutil.copy(FINE_256.weights, tmp_path)
    monkeypatch.setattr(head_module, "WEIGHTS", tmp_path)
    assert main(["256_from_128", "--minutes", "0.03", "--faces", "7", "--work", str(work)]) == 0
    after = load_file(FINE_256.weights)
    changed = {name.split(".")[0] for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert changed == {"slow_colour"}


def test_nothing_to_fit_in_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["256_from_128", "--minutes", "0"]) == 2
    assert capsys.readouterr().err.startswith("error: ")
