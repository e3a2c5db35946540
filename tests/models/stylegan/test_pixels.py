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
from models.stylegan.head import FAST_256, FINE_256, FINE_512, Design, load_head
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.pixels import HEADS, Pixels, Quality, quality_of


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
    drawn = Pixels(generator, 512, "full")(ws)
    assert (picture > 1.1).any()
    assert (drawn[picture > 1] == 255).all()
    assert (drawn[picture < -1] == 0).all()


@pytest.mark.parametrize("size", [256, 512])
def test_full_is_the_whole_picture_shrunk(generator: MobileStyleGAN, size: int) -> None:
    ws = faces(generator)[1]
    expected = ((F.avg_pool2d(generator.synthesis(ws), 1024 // size)[0].clamp(-1, 1) + 1) * 127.5).round().permute(1, 2, 0)
    assert (Pixels(generator, size, "full")(ws).float() - expected).abs().max() <= 1


@pytest.fixture(scope="module")
def drawn(generator: MobileStyleGAN) -> dict[tuple[int, Quality], list[tuple[torch.Tensor, torch.Tensor]]]:
    """For each head and face the head's picture and the whole generator's, shrunk: (size, size, 3) each, -1…1."""
    wholes = [generator.synthesis(ws, 512)[0] for ws in faces(generator)]
    pairs: dict[tuple[int, Quality], list[tuple[torch.Tensor, torch.Tensor]]] = {}
    for size, quality in HEADS:
        pixels = Pixels(generator, size, quality)
        expected = [F.avg_pool2d(whole, 512 // size).permute(1, 2, 0).clamp(-1, 1) for whole in wholes]
        pairs[size, quality] = [(pixels(ws) / 127.5 - 1, e) for ws, e in zip(faces(generator), expected, strict=True)]
    return pairs


@pytest.mark.parametrize(("key", "mean", "worst"), [((256, "fast"), 29, 25), ((256, "fine"), 33, 28), ((512, "fine"), 31, 27)])
def test_heads_draw_what_the_generator_draws_shrunk(
    drawn: dict[tuple[int, Quality], list[tuple[torch.Tensor, torch.Tensor]]],
    key: tuple[int, Quality],
    mean: float,
    worst: float,
) -> None:
    decibels = [float(10 * torch.log10(4 / (short - whole).square().mean())) for short, whole in drawn[key]]
    colours = [float((short - whole).mean(dim=(0, 1)).abs().max() * 127.5) for short, whole in drawn[key]]
    assert np.mean(decibels) >= mean
    assert min(decibels) >= worst
    assert np.mean(colours) <= 3  # grey levels of 255, of the whole picture's mean colour


@pytest.mark.parametrize("key", HEADS, ids=str)
def test_heads_draw_no_grid(
    drawn: dict[tuple[int, Quality], list[tuple[torch.Tensor, torch.Tensor]]], key: tuple[int, Quality]
) -> None:
    """The pixels of every square that comes from one position come from different channels; none may stand out."""
    n = key[0] // 128
    offsets = []
    for short, whole in drawn[key]:
        corners = (short - whole).unflatten(1, (128, n)).unflatten(0, (128, n)).mean(dim=(0, 2))  # (n, n, 3)
        offsets.append(corners - corners.mean(dim=(0, 1)))
    assert torch.stack(offsets).mean(dim=0).abs().max() * 127.5 < 0.5


def test_a_size_without_a_head_of_that_quality_is_drawn_in_the_next_better(generator: MobileStyleGAN) -> None:
    wanted: tuple[Quality, ...] = ("fast", "fine", "full")
    assert [quality_of(generator, 256, q) for q in wanted] == ["fast", "fine", "full"]
    assert [quality_of(generator, 512, q) for q in wanted] == ["fine", "fine", "full"]
    assert [quality_of(generator, 1024, q) for q in wanted] == ["full", "full", "full"]


def test_a_size_that_does_not_exist_is_refused(generator: MobileStyleGAN) -> None:
    with pytest.raises(UserError, match="256, 512, 1024"):
        Pixels(generator, 128)


def test_half_precision_is_a_copy(generator: MobileStyleGAN) -> None:
    pixels = Pixels(generator, 256)
    assert pixels.in_half_precision().generator.w_avg.dtype == torch.float16
    assert generator.w_avg.dtype == torch.float32


@pytest.mark.parametrize(("size", "quality"), [*HEADS, (1024, "full")])
def test_no_value_comes_near_the_end_of_the_range_of_float16(generator: MobileStyleGAN, size: int, quality: Quality) -> None:
    pixels = Pixels(generator, size, quality)
    largest: list[float] = []
    hooks = [m.register_forward_hook(lambda _, __, out: largest.append(float(out.abs().max()))) for m in pixels.modules()]
    for ws in faces(generator)[:2]:
        pixels(ws)
    for hook in hooks:
        hook.remove()
    assert len(largest) > 60
    assert max(largest) < torch.finfo(torch.float16).max / 10


@pytest.mark.parametrize("design", [FAST_256, FINE_256, FINE_512], ids=lambda design: design.name)
@pytest.mark.parametrize("damage", ["empty", "cut", "missing tensor", "another head", "missing file"])
def test_damaged_head_weights_are_refused_in_one_line(
    generator: MobileStyleGAN, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: str, design: Design
) -> None:
    path = tmp_path / f"mobile_head_{design.name}.safetensors"
    if damage == "missing tensor":
        state = load_file(design.weights)
        del state["skip.weight"]
        save_file(state, path, metadata={"graph_hash": generator.graph_hash})
    elif damage == "another head":
        path.write_bytes((FINE_256 if design != FINE_256 else FAST_256).weights.read_bytes())
    elif damage != "missing file":
        path.write_bytes(b"" if damage == "empty" else design.weights.read_bytes()[:100_000])
    monkeypatch.setattr(head_module, "WEIGHTS", tmp_path)
    with pytest.raises(UserError, match=path.name) as caught:
        load_head(design, generator.graph_hash)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("design", [FAST_256, FINE_256, FINE_512], ids=lambda design: design.name)
def test_a_head_of_another_generator_is_refused(design: Design) -> None:
    with pytest.raises(UserError, match="another generator"):
        load_head(design, "0" * 64)
