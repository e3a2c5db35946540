"""Resampling against its definition: zeros put in, padding, a sum over the mirrored filter, samples left out."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.stylegan.filters import blur, downsample, filtered_lrelu, upsample


def by_definition(x: NDArray[np.float64], kernel: NDArray[np.float64], up: int, padding: tuple[int, int]) -> NDArray[np.float64]:
    """(H, W): `up` - 1 zeros behind each sample, padded or cut, then the convolution where the kernel lies wholly inside."""
    spread = np.zeros((x.shape[0] * up, x.shape[1] * up))
    spread[::up, ::up] = x
    before, after = padding
    spread = np.pad(spread, [(max(before, 0), max(after, 0))] * 2)
    spread = spread[max(-before, 0) : spread.shape[0] - max(-after, 0), max(-before, 0) : spread.shape[1] - max(-after, 0)]
    windows = np.lib.stride_tricks.sliding_window_view(spread, kernel.shape)
    return np.einsum("hwij,ij->hw", windows, kernel[::-1, ::-1])


@st.composite
def cases(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor, int, tuple[int, int]]:
    rng = np.random.RandomState(draw(st.integers(0, 2**31)))
    side, up, taps = draw(st.integers(4, 9)), draw(st.integers(1, 4)), draw(st.integers(2, 9))
    padding = (draw(st.integers(-3, 12)), draw(st.integers(-3, 12)))
    if side * up + sum(padding) < taps:
        padding = (taps, taps)
    shape = (taps,) if draw(st.booleans()) else (taps, taps)
    return torch.from_numpy(rng.randn(2, 3, side, side)), torch.from_numpy(rng.randn(*shape)), up, padding


@settings(max_examples=50, deadline=None)
@given(cases())
def test_upsampling_is_what_it_is_by_definition(case: tuple[torch.Tensor, torch.Tensor, int, tuple[int, int]]) -> None:
    x, taps, up, padding = case
    ours = upsample(x, taps, up, padding)
    kernel = (np.outer(taps, taps) if taps.ndim == 1 else taps.numpy()) * up**2
    for n in range(2):
        for c in range(3):
            assert np.allclose(ours[n, c], by_definition(x[n, c].numpy(), kernel, up, padding))


@settings(max_examples=40, deadline=None)
@given(cases())
def test_downsampling_is_what_it_is_by_definition(case: tuple[torch.Tensor, torch.Tensor, int, tuple[int, int]]) -> None:
    x, taps, down, _ = case
    if len(taps) > x.shape[2]:
        return
    kernel = np.outer(taps, taps) if taps.ndim == 1 else taps.numpy()
    assert np.allclose(downsample(x, taps, down)[1, 2], by_definition(x[1, 2].numpy(), kernel, 1, (0, 0))[::down, ::down])
    assert np.allclose(blur(x, taps, (2, 1))[0, 0], by_definition(x[0, 0].numpy(), kernel, 1, (2, 1)))


def test_without_filters_only_the_bend_is_left() -> None:
    x = torch.linspace(-3, 3, 25).view(1, 1, 5, 5)
    bent = filtered_lrelu(x, None, None, up=1, down=1, padding=(0, 0), gain=2.0, slope=0.2, clamp=4.0)
    assert torch.allclose(bent, torch.where(x < 0, 0.4 * x, 2 * x).clamp(max=4))


def test_halving_keeps_slow_waves_and_lets_no_fast_one_fold_back() -> None:
    """A low-pass filter at a quarter of the rate: the physics that StyleGAN3 rests on."""
    t = np.arange(128)
    taps = np.sinc((np.arange(24) - 11.5) / 2) * np.kaiser(24, 6)
    for cycles, gain in ((8, 1.0), (52, 0.0)):
        wave = torch.from_numpy(np.cos(2 * np.pi * cycles * t / 128)).repeat(1, 1, 128, 1)
        halved = downsample(wave, torch.from_numpy(taps / taps.sum()), 2)
        assert abs(float(halved.abs().max()) - gain) < 0.02
