"""A generator drawn by a backend: the same pictures, the same codes."""

import torch

from engine.drawn import DrawnGenerator
from engine.openvino import OpenVinoBackend
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.pixels import Pixels


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
