"""FLIP as a loss, beside the package that its authors publish."""

from typing import Final

import numpy as np
import pytest
import torch
from torch import Tensor

from models.judge.flip import flip

SIDE: Final = 96


def pictures(seed: int) -> tuple[Tensor, Tensor]:
    """A picture (1, 3, SIDE, SIDE) of bytes between -1 and 1 with areas, edges, saturated and dark colours; and one beside it."""
    rng = torch.Generator().manual_seed(seed)
    areas = torch.rand(1, 3, 6, 6, generator=rng).repeat_interleave(SIDE // 6, 2).repeat_interleave(SIDE // 6, 3)
    picture = areas**2 + 0.1 * torch.randn(1, 3, SIDE, SIDE, generator=rng)
    shift = 0.15 * torch.randn(1, 3, 1, 1, generator=rng)
    drawn = picture.roll(1, dims=3) + shift + 0.05 * torch.randn(1, 3, SIDE, SIDE, generator=rng)
    return tuple((p.clamp(0, 1) * 255).round() / 127.5 - 1 for p in (picture, drawn))  # type: ignore[return-value]


@pytest.mark.parametrize("seed", range(4))
def test_the_map_is_that_of_its_authors(seed: int) -> None:
    flip_evaluator = pytest.importorskip("flip_evaluator", reason="FLIP is not installed: pip install the extra train")
    reference, drawn = pictures(seed)
    as_expected = (np.ascontiguousarray(((p[0] + 1) / 2).permute(1, 2, 0).numpy()) for p in (reference, drawn))
    expected, mean, _ = flip_evaluator.evaluate(*as_expected, "LDR", applyMagma=False)
    computed = flip(drawn, reference)
    assert computed.shape == (1, 1, SIDE, SIDE)
    assert mean > 0.1  # else the comparison says little
    np.testing.assert_allclose(computed[0, 0].numpy(), np.asarray(expected).squeeze(), atol=2e-4)


def test_several_pictures_at_once_are_each_their_own() -> None:
    pairs = [pictures(seed) for seed in range(3)]
    together = flip(torch.cat([drawn for _, drawn in pairs]), torch.cat([reference for reference, _ in pairs]))
    for one, (reference, drawn) in zip(together, pairs, strict=True):
        torch.testing.assert_close(one[None], flip(drawn, reference))


def test_equal_pictures_do_not_differ() -> None:
    reference, _ = pictures(0)
    assert flip(reference, reference).max() < 1e-3


def test_following_the_slope_brings_the_picture_nearer() -> None:
    reference, drawn = pictures(1)
    drawn = drawn.requires_grad_()
    before = flip(drawn, reference).mean()
    (slope,) = torch.autograd.grad(before, drawn)
    assert slope.isfinite().all()
    nearer = drawn - 0.05 * slope / slope.abs().mean()
    assert flip(nearer, reference).mean() < before


def test_the_slope_at_equal_pictures_and_at_black_is_finite() -> None:
    for reference in (pictures(2)[0], torch.full((1, 3, SIDE, SIDE), -1.0)):
        drawn = reference.clone().requires_grad_()
        (slope,) = torch.autograd.grad(flip(drawn, reference).mean(), drawn)
        assert slope.isfinite().all()
