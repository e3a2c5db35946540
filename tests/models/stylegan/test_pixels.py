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


@pytest.fixture(scope="module")
def both(generator: MobileStyleGAN) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """For each face the head's picture and the whole generator's, shrunk: (256, 256, 3) each, -1…1."""
    drawn_by_head = Pixels(generator, 256)
    return [
        (
            drawn_by_head(ws) / 127.5 - 1,
            F.avg_pool2d(generator.synthesis(ws, 512), 2)[0].permute(1, 2, 0).clamp(-1, 1),
        )
        for ws in faces(generator)
    ]


def test_the_head_draws_what_the_generator_draws_shrunk(both: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    decibels = [float(10 * torch.log10(4 / (short - whole).square().mean())) for short, whole in both]
    colours = [float((short - whole).mean(dim=(0, 1)).abs().max() * 127.5) for short, whole in both]
    assert np.mean(decibels) >= 32
    assert min(decibels) >= 28
    assert np.mean(colours) <= 3  # grey levels of 255, of the whole picture's mean colour


def test_the_head_draws_no_grid(both: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """The four corners of every 2×2 square come from different channels; none may stand out against the others."""
    offsets = []
    for short, whole in both:
        corners = (short - whole).unflatten(1, (128, 2)).unflatten(0, (128, 2)).mean(dim=(0, 2))  # (2, 2, 3)
        offsets.append(corners - corners.mean(dim=(0, 1)))
    assert torch.stack(offsets).mean(dim=0).abs().max() * 127.5 < 0.5


def test_a_size_that_does_not_exist_is_refused(generator: MobileStyleGAN) -> None:
    with pytest.raises(UserError, match="256, 512, 1024"):
        Pixels(generator, 128)


def test_half_precision_is_a_copy(generator: MobileStyleGAN) -> None:
    pixels = Pixels(generator, 256)
    assert pixels.in_half_precision().generator.w_avg.dtype == torch.float16
    assert generator.w_avg.dtype == torch.float32


@pytest.mark.parametrize("size", [256, 1024])
def test_no_value_comes_near_the_end_of_the_range_of_float16(generator: MobileStyleGAN, size: int) -> None:
    pixels = Pixels(generator, size)
    largest: list[float] = []
    hooks = [m.register_forward_hook(lambda _, __, out: largest.append(float(out.abs().max()))) for m in pixels.modules()]
    for ws in faces(generator)[:2]:
        pixels(ws)
    for hook in hooks:
        hook.remove()
    assert len(largest) > 80
    assert max(largest) < torch.finfo(torch.float16).max / 10


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
