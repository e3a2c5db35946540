"""FLIP as a loss: how different two pictures look when one takes the other's place (Andersson et al. 2020), differentiable.

As `flip-evaluator` computes it for pictures of low dynamic range, with its constants; that package measures, this one fits
(`tools/fit_head.py`). Roots that have no slope at zero begin a little above it.
"""

import math
from typing import Final

import torch
from torch import Tensor

PIXELS_PER_DEGREE: Final = 0.7 * 3840 / 0.7 * math.pi / 180  # a screen 0.7 m wide with 3840 pixels, seen from 0.7 m
# Sensitivity to contrast of black-white, red-green and blue-yellow: sums of Gaussians, amplitude and width.
SENSITIVITY: Final = (((1.0, 0.0047),), ((1.0, 0.0053),), ((34.1, 0.04), (13.5, 0.025)))
COLOUR_POWER: Final = 0.7
FEATURE_POWER: Final = 0.5
BEND: Final = 0.4  # up to that share of the largest difference of colours
BENT: Final = 0.95  # goes that share of the scale
FEATURE_WIDTH: Final = 0.082  # of edges and points, degrees
XYZ: Final = ((0.41238656, 0.35759149, 0.18045049), (0.21263682, 0.71518298, 0.0721802), (0.01933062, 0.11919716, 0.95037259))
TINY: Final = 1e-6


def flip(drawn: Tensor, reference: Tensor) -> Tensor:
    """Error map (N, 1, H, W) within 0…1 of pictures (N, 3, H, W) between -1 and 1 (sRGB)."""
    a, b = (_opponents(((p + 1) / 2).clamp(0, 1)) for p in (drawn, reference))
    return (_colour(a, b) + TINY) ** (1 - _feature(_lightness(a), _lightness(b)))


def _opponents(picture: Tensor) -> Tensor:
    """sRGB within 0…1 → linear opponent colours Y, Cx, Cz."""
    bright = ((picture.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    x, y, z = _mixed(torch.where(picture > 0.04045, bright, picture / 12.92), _matrix_to_xyz(picture)).unbind(1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=1)


def _colour(a: Tensor, b: Tensor) -> Tensor:
    """Difference of colours as an eye sees them, that far away: (N, 1, H, W) within 0…1."""
    # The largest there is: green for blue.
    worst = _hyab(*(_hunt_lab(_matrix_to_xyz(a)[:, i].view(1, 3, 1, 1)) for i in (1, 2))) ** COLOUR_POWER
    seen = [_hunt_lab(_shown_xyz(_blurred(x))) for x in (a, b)]
    error = (_hyab(*seen) + TINY) ** COLOUR_POWER
    bend = BEND * worst
    return torch.where(error < bend, BENT / bend * error, BENT + (error - bend) / (worst - bend) * (1 - BENT))


def _matrix_to_xyz(like: Tensor) -> Tensor:
    """The matrix from linear RGB to X, Y, Z as shares of white's: (3, 3), of the kind of `like`."""
    matrix = torch.tensor(XYZ, dtype=like.dtype, device=like.device)
    return matrix / matrix.sum(dim=1, keepdim=True)


def _mixed(picture: Tensor, matrix: Tensor) -> Tensor:
    return torch.einsum("oc,nchw->nohw", matrix, picture)


def _shown_xyz(opponents: Tensor) -> Tensor:
    """Y, Cx, Cz → X, Y, Z as shares of white's, of the nearest colour that a screen can show."""
    y = (opponents[:, 0] + 16) / 116
    xyz = torch.stack((y + opponents[:, 1] / 500, y, y - opponents[:, 2] / 200), dim=1)
    matrix = _matrix_to_xyz(xyz)
    return _mixed(_mixed(xyz, torch.linalg.inv(matrix)).clamp(0, 1), matrix)


def _hunt_lab(xyz: Tensor) -> Tensor:
    """L*a*b*, its colours paler where it is dark (Hunt)."""
    edge = 6 / 29
    x, y, z = torch.where(xyz > edge**3, xyz.clamp(min=edge**3) ** (1 / 3), xyz / (3 * edge**2) + 4 / 29).unbind(1)
    lightness = 116 * y - 16
    return torch.stack((lightness, 0.01 * lightness * 500 * (x - y), 0.01 * lightness * 200 * (y - z)), dim=1)


def _hyab(a: Tensor, b: Tensor) -> Tensor:
    """Distance of L*a*b* colours: lightness by itself, plus a and b."""
    d = a - b
    return d[:, :1].abs() + (d[:, 1:].square().sum(dim=1, keepdim=True) + TINY**2).sqrt()


def _lightness(opponents: Tensor) -> Tensor:
    return (opponents[:, :1] + 16) / 116


def _blurred(opponents: Tensor) -> Tensor:
    """What contrast is left of each of the three, so far away."""
    widest = max(width for gaussians in SENSITIVITY for _, width in gaussians)
    radius = math.ceil(3 * math.sqrt(widest / (2 * math.pi**2)) * PIXELS_PER_DEGREE)
    degrees = torch.arange(-radius, radius + 1, device=opponents.device) / PIXELS_PER_DEGREE
    channels = []
    for channel, gaussians in zip(torch.split(opponents, 1, dim=1), SENSITIVITY, strict=True):
        lines = [torch.exp(-(math.pi**2) * degrees**2 / width) for _, width in gaussians]
        shares = [
            amplitude * math.sqrt(math.pi / width) * float(line.sum()) ** 2
            for (amplitude, width), line in zip(gaussians, lines, strict=True)
        ]
        parts = [
            share / sum(shares) * _filtered(channel, line / line.sum(), line / line.sum())
            for share, line in zip(shares, lines, strict=True)
        ]
        channels.append(torch.stack(parts).sum(dim=0))
    return torch.cat(channels, dim=1)


def _filtered(x: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Separable filter of (N, 1, H, W), the edges going on. As two products of matrices: many times faster than convolutions."""
    filtered: Tensor = _band(down, x.shape[2]) @ x @ _band(across, x.shape[3]).T
    return filtered


def _band(kernel: Tensor, side: int) -> Tensor:
    """The matrix (side, side) that filters a line with `kernel`."""
    offsets = torch.arange(len(kernel), device=kernel.device) - len(kernel) // 2
    places = (torch.arange(side, device=kernel.device)[:, None] + offsets).clamp(0, side - 1)
    return torch.zeros(side, side, device=kernel.device).scatter_add_(1, places, kernel.expand(side, -1))


def _feature(a: Tensor, b: Tensor) -> Tensor:
    """Difference of edges and of points of two lightnesses (N, 1, H, W), within 0…1."""
    deviation = 0.5 * FEATURE_WIDTH * PIXELS_PER_DEGREE
    radius = math.ceil(3 * deviation)
    x = torch.arange(-radius, radius + 1, device=a.device, dtype=a.dtype)
    bell = torch.exp(-(x**2) / (2 * deviation**2))
    differences = []
    for kernel in (-x * bell, (x**2 / deviation**2 - 1) * bell):
        # So that the weights of either sign add up to 1 over the plane.
        kernel = torch.where(kernel > 0, kernel / kernel.clamp(min=0).sum(), kernel / -kernel.clamp(max=0).sum())
        smooth = bell / bell.sum()
        sizes = [(_filtered(p, kernel, smooth).square() + _filtered(p, smooth, kernel).square() + TINY**2).sqrt() for p in (a, b)]
        differences.append((sizes[0] - sizes[1]).abs())
    return (torch.maximum(*differences) / math.sqrt(2) + TINY) ** FEATURE_POWER
