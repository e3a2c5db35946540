"""Resampling with finite impulse responses as convolutions that every engine knows: up, down, and the two around a leaky ReLU.

All filters sum to 1; a one-dimensional filter (taps,) is separable and acts along both axes, a two-dimensional one (taps, taps)
at once. A filter of None is the identity.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def upsample(x: Tensor, taps: Tensor | None, factor: int, padding: tuple[int, int]) -> Tensor:
    """(N, C, H, W) → zeros between the samples, `padding` zeros before and after, then the filter, with gain factor².

    `padding` (before, after) is that of StyleGAN3: it applies behind the zeros that are put in, and negative values cut. The
    result is H·factor + before + after - taps + 1 high.
    """
    if taps is None:
        return F.pad(x, [*padding, *padding]) if any(padding) else x
    if taps.ndim == 2:
        return _spread(x, taps * factor**2, (factor, factor), padding)
    rows = _spread(x, (taps * factor)[:, None], (factor, 1), padding)
    return _spread(rows, (taps * factor)[None], (1, factor), padding)


def downsample(x: Tensor, taps: Tensor | None, factor: int) -> Tensor:
    """(N, C, H, W) → the filter where it lies wholly inside, then every `factor`-th sample."""
    if taps is None:
        return x[:, :, ::factor, ::factor] if factor > 1 else x
    if taps.ndim == 2:
        return _gather(x, taps, (factor, factor))
    return _gather(_gather(x, taps[:, None], (factor, 1)), taps[None], (1, factor))


def blur(x: Tensor, taps: Tensor, padding: tuple[int, int]) -> Tensor:
    """(N, C, H, W) → the filter behind `padding` zeros (before, after)."""
    return downsample(F.pad(x, [*padding, *padding]), taps, 1)


def filtered_lrelu(
    x: Tensor,
    up_taps: Tensor | None,
    down_taps: Tensor | None,
    *,
    up: int,
    down: int,
    padding: tuple[int, int],
    gain: float,
    slope: float,
    clamp: float | None,
) -> Tensor:
    """A leaky ReLU without aliasing (Karras et al. 2021): finer by `up`, bent, coarser by `down`.

    Order: upsampling, gain, leaky ReLU of `slope`, clamp to ±`clamp`, downsampling.
    """
    x = upsample(x, up_taps, up, padding) * gain
    if slope != 1:
        x = F.leaky_relu(x, slope)
    if clamp is not None:
        x = x.clamp(-clamp, clamp)
    return downsample(x, down_taps, down)


def _spread(x: Tensor, kernel: Tensor, factors: tuple[int, int], padding: tuple[int, int]) -> Tensor:
    """A transposed depthwise convolution with `kernel` (kh, kw), cut or padded on the axes that are longer than 1."""
    channels = x.shape[1]
    weight = kernel.to(x.dtype).expand(channels, 1, *kernel.shape)
    # A transposed convolution gives the whole response; padding of taps - 1 before (and taps - factor after, since no zeros
    # follow the last sample) would be just that. Less padding means cutting from it.
    cuts = [(k - 1 - padding[0], k - f - padding[1]) if k > 1 else (0, 0) for k, f in zip(kernel.shape, factors, strict=True)]
    inside = [max(min(cut), 0) for cut in cuts]
    x = F.conv_transpose2d(x, weight, stride=factors, padding=inside, groups=channels)
    (top, bottom), (left, right) = [(first - i, last - i) for (first, last), i in zip(cuts, inside, strict=True)]
    return F.pad(x, [-left, -right, -top, -bottom]) if top or bottom or left or right else x


def _gather(x: Tensor, kernel: Tensor, factors: tuple[int, int]) -> Tensor:
    """A depthwise convolution (`conv2d` correlates, so the kernel is mirrored)."""
    channels = x.shape[1]
    weight = torch.flip(kernel, (0, 1)).to(x.dtype).expand(channels, 1, *kernel.shape)
    return F.conv2d(x, weight, stride=factors, groups=channels)
