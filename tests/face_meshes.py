"""A face mesh that no network saw, for tests of what looks at meshes."""

import numpy as np
import torch
from torch import Tensor

from models.judge.landmarks import (
    FACE_OVAL,
    IRIS_EDGES,
    IRISES,
    LEFT_EYE_CORNERS,
    LEFT_EYE_OUTLINE,
    LEFT_LIDS,
    RIGHT_EYE_CORNERS,
    RIGHT_EYE_OUTLINE,
    RIGHT_LIDS,
    SKIN,
)

IRIS = 0.018  # its radius


def mesh() -> Tensor:
    """478 points: an oval, two eyes, patches of skin, the rest in the middle."""
    points = torch.full((478, 2), 0.55)
    for patch, x, y in zip(SKIN, (0.425, 0.575, 0.525), (0.6, 0.6, 0.3), strict=True):
        for n, index in enumerate(patch):
            angle = 2 * np.pi * n / len(patch)
            points[index] = torch.tensor([x + 0.02 * np.cos(angle), y + 0.02 * np.sin(angle)])
    for n, index in enumerate(FACE_OVAL):
        angle = 2 * np.pi * n / len(FACE_OVAL)
        points[index] = torch.tensor([0.5 + 0.25 * np.sin(angle), 0.5 - 0.35 * np.cos(angle)])
    for corners, x in ((RIGHT_EYE_CORNERS, 0.4), (LEFT_EYE_CORNERS, 0.6)):
        points[corners[0]], points[corners[1]] = torch.tensor([x - 0.05, 0.45]), torch.tensor([x + 0.05, 0.45])
    for outline, centre, edges, x in zip((RIGHT_EYE_OUTLINE, LEFT_EYE_OUTLINE), IRISES, IRIS_EDGES, (0.4, 0.6), strict=True):
        for n, index in enumerate(outline):
            angle = 2 * np.pi * n / len(outline)
            points[index] = torch.tensor([x - 0.05 * np.cos(angle), 0.45 + 0.02 * np.sin(angle)])
        points[centre] = torch.tensor([x, 0.45])
        points[edges[0]], points[edges[1]] = torch.tensor([x - IRIS, 0.45]), torch.tensor([x + IRIS, 0.45])
    points[LEFT_EYE_CORNERS[0]], points[LEFT_EYE_CORNERS[1]] = torch.tensor([0.65, 0.45]), torch.tensor([0.55, 0.45])
    for lids, x in ((RIGHT_LIDS, 0.4), (LEFT_LIDS, 0.6)):
        for upper, lower in lids:
            points[upper], points[lower] = torch.tensor([x, 0.43]), torch.tensor([x, 0.47])
    points[2] = torch.tensor([0.5, 0.6])
    points[6] = torch.tensor([0.5, 0.45])
    return points
