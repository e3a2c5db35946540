"""How true a picture is to another one of the same size: error, structure, slow colour, a grid. Bytes in, figures out."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Picture = NDArray[np.uint8]

SCALE_WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW, SIGMA = 11, 1.5  # pixels
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(a: Picture, b: Picture) -> float:
    """Peak signal-to-noise ratio of two pictures in dB; infinite for equal ones."""
    error = np.square(a.astype(np.float64) - b).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ms_ssim(a: Picture, b: Picture) -> float:
    """Multi-scale structural similarity of two pictures (H, W, 3), the mean of their channels; 1 for equal ones.

    Wang, Simoncelli and Bovik 2003: five scales, an 11×11 Gaussian window, no padding. Raises ValueError for sides below 176.
    """
    if min(a.shape[:2]) < WINDOW * 2 ** (len(SCALE_WEIGHTS) - 1):
        raise ValueError(f"pictures of at least 176 pixels were expected, got {a.shape[1]} x {a.shape[0]}")
    x, y = _channels(a), _channels(b)
    similarity = torch.ones(3, dtype=torch.float64)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        structure, luminance = _ssim(x, y)
        last = scale == len(SCALE_WEIGHTS) - 1
        similarity *= (structure * luminance if last else structure).mean(dim=(1, 2, 3)).clamp(min=0) ** weight
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return float(similarity.mean())


def slow_colour(a: Picture, b: Picture, side: int = 16) -> float:
    """Mean difference, 0…255, that is left after averaging over squares of `side` pixels: wrong colours, not fine detail."""
    return float(F.avg_pool2d(_channels(a) - _channels(b), side).abs().mean())


def grid(a: Picture, b: Picture, period: int = 4) -> float:
    """How much the difference of two pictures depends on the position within squares of `period` pixels: 0…255, root mean square.

    Networks that end in a pixel shuffle leave such a pattern when its channels don't agree. Differences without any pattern give
    `grid_of_noise`.
    """
    difference = _channels(a) - _channels(b)
    height, width = (size // period for size in difference.shape[2:])
    squares = difference[:, :, : height * period, : width * period].reshape(3, height, period, width, period)
    means = squares.mean(dim=(1, 3))  # (3, period, period)
    return float((means - means.mean(dim=(1, 2), keepdim=True)).square().mean().sqrt())


def grid_of_noise(a: Picture, b: Picture, period: int = 4) -> float:
    """About what `grid` gives for `a` and a copy of it with noise, as large as the difference of the two: 0…255."""
    height, width = (size // period for size in a.shape[:2])
    return float(255 / 10 ** (psnr(a, b) / 20) / np.sqrt(height * width))


def _channels(picture: Picture) -> Tensor:
    """(3, 1, H, W) float64."""
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).double()[:, None]


def _ssim(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Contrast and structure, and luminance, around each pixel."""
    places = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    window = torch.exp(-places.square() / (2 * SIGMA**2))
    window = window / window.sum()

    def mean(values: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(values, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))

    mx, my = mean(x), mean(y)
    xx, yy, xy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    return (2 * xy + C2) / (xx + yy + C2), (2 * mx * my + C1) / (mx * mx + my * my + C1)
