"""Finished bytes: shape, range and rounding, the fitted head against the whole generator, damaged heads refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from models.errors import UserError
from models.stylegan import head as head_module
from models.stylegan.default import load_default_generator
from models.stylegan.head import WEIGHTS, load_head
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.pixels import Pixels


@pytest.fixture(scope="module")
def generator() -> MobileStyleGAN:
    return load_default_generator()


def faces(generator: MobileStyleGAN) -> list[torch.Tensor]:
    """Faces that no head was fitted to: plain ones, and ones moved in rows 1 to 12 by as much as an expression moves them."""
    rng = torch.Generator().manual_seed(2**40)
    faces = []
    for seed in range(5_000, 5_006):
        w = generator.code_of_seed(seed)
        ws = generator.broadcast(w).clone()
        if seed % 2:
            direction = F.normalize(torch.randn(12, 512, generator=rng) + torch.randn(1, 512, generator=rng))
            ws[:, 1:13] += 0.15 * (w - generator.w_avg).norm() * direction
        faces.append(ws)
    return faces


def test_bytes_are_the_rounded_picture(generator: MobileStyleGAN) -> None:
    ws = faces(generator)[0]
    expected = ((generator.synthesis(ws)[0].clamp(-1, 1) + 1) * 127.5).round().permute(1, 2, 0)
    picture = Pixels(generator, 1024)(ws)
    assert picture.dtype == torch.uint8
    assert (picture.float() - expected).abs().max() <= 1


def test_what_leaves_the_range_is_cut_not_wrapped(generator: MobileStyleGAN) -> None:
    ws = generator.truncate(faces(generator)[0], 2.5)  # far outside: pictures of ±2 and more
    picture = generator.synthesis(ws, 512)[0].permute(1, 2, 0)
    drawn = Pixels(generator, 512)(ws)
    assert (picture > 1.1).any()
    assert (drawn[picture > 1] == 255).all()
    assert (drawn[picture < -1] == 0).all()


def test_the_head_draws_what_the_generator_draws_shrunk(generator: MobileStyleGAN) -> None:
    drawn_by_head = Pixels(generator, 256)
    decibels, colours = [], []
    for ws in faces(generator):
        whole = F.avg_pool2d(generator.synthesis(ws, 512), 2)[0].clamp(-1, 1)
        short = drawn_by_head(ws).permute(2, 0, 1) / 127.5 - 1
        decibels.append(float(10 * torch.log10(4 / (short - whole).square().mean())))
        colours.append(float((short - whole).mean(dim=(1, 2)).abs().max() * 127.5))
    assert np.mean(decibels) >= 30
    assert min(decibels) >= 26
    assert np.mean(colours) <= 4  # grey levels of 255, of the whole picture's mean colour


def test_the_head_draws_no_grid(generator: MobileStyleGAN) -> None:
    """The four corners of every 2×2 square come from different channels; none may stand out against the others."""
    drawn_by_head = Pixels(generator, 256)
    offsets = []
    for ws in faces(generator):
        difference = (
            drawn_by_head(ws) / 127.5 - 1 - F.avg_pool2d(generator.synthesis(ws, 512), 2)[0].permute(1, 2, 0).clamp(-1, 1)
        )
        corners = difference.unflatten(1, (128, 2)).unflatten(0, (128, 2)).mean(dim=(0, 2))  # (2, 2, 3)
        offsets.append(corners - corners.mean(dim=(0, 1)))
    assert torch.stack(offsets).mean(dim=0).abs().max() * 127.5 < 0.5


def test_a_size_that_does_not_exist_is_refused(generator: MobileStyleGAN) -> None:
    with pytest.raises(UserError, match="256, 512, 1024"):
        Pixels(generator, 128)


def test_half_precision_is_a_copy(generator: MobileStyleGAN) -> None:
    pixels = Pixels(generator, 256)
    assert pixels.in_half_precision().generator.w_avg.dtype == torch.float16
    assert generator.w_avg.dtype == torch.float32


@pytest.mark.parametrize("damage", ["empty", "cut", "missing tensor", "missing file"])
def test_damaged_head_weights_are_refused_in_one_line(
    generator: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "head.safetensors"
    if damage == "missing tensor":
        state = load_file(WEIGHTS)
        del state["skip.weight"]
        save_file(state, path, metadata={"graph_hash": generator.graph_hash})
    elif damage != "missing file":
        path.write_bytes(b"" if damage == "empty" else WEIGHTS.read_bytes()[:100_000])
    monkeypatch.setattr(head_module, "WEIGHTS", path)
    with pytest.raises(UserError, match=r"head\.safetensors") as caught:
        Pixels(generator, 256)
    assert "\n" not in str(caught.value)


def test_a_head_of_another_generator_is_refused() -> None:
    with pytest.raises(UserError, match="another generator"):
        load_head("0" * 64)
