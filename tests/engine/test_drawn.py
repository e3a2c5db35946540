"""A generator drawn by a backend: the same pictures, the same codes."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from engine import drawn as module
from engine.drawn import DrawnGenerator, quick_generator
from engine.openvino import OpenVinoBackend
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.pixels import Pixels, Quality


def test_pictures_are_the_generators_own_to_a_byte(generator: MobileStyleGAN) -> None:
    with OpenVinoBackend(Pixels(generator, 512, "full").eval(), "f32") as backend:
        drawn = DrawnGenerator(generator, backend)
        ws = drawn.broadcast(drawn.code_of_seed(1000))
        with torch.no_grad():
            expected = generator.synthesis(ws, 512).clamp(-1, 1)
        assert (drawn.synthesis(ws) - expected).abs().max() < 1.6 / 127.5
    assert drawn.graph_hash == generator.graph_hash
    assert drawn.num_ws == generator.num_ws
    assert torch.equal(drawn.features(ws, 32), generator.features(ws, 32))


@pytest.mark.parametrize(
    ("sizes", "quality", "size"),
    [((256, 512, 1024), "full", 512), ((256, 512, 1024), "fine", 256), ((64, 128), "fine", 128), ((1024,), "fine", 1024)],
)
def test_who_looks_at_many_sees_smaller_pictures(
    monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...], quality: Quality, size: int
) -> None:
    opened: list[tuple[int, Quality]] = []
    monkeypatch.setattr(module, "open_backend", lambda _generator, size, quality: opened.append((size, quality)))
    quick_generator(cast(Any, SimpleNamespace(sizes=sizes, features=None, rows_read=None)), quality)
    assert opened == [(size, quality)]
