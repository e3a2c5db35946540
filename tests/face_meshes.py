"""A face mesh that no network saw, for tests of what looks at meshes."""

import numpy as np
import torch
from torch import Tensor

from models.judge.landmarks import FACE_OVAL, LEFT_EYE_CORNERS, LEFT_LIDS, RIGHT_EYE_CORNERS, RIGHT_LIDS


def mesh() -> Tensor:
    """478 points: an oval, two eyes, the rest in the middle."""
    points = torch.full((478, 2), 0.55)
    for n, index in enumerate(FACE_OVAL):
        angle = 2 * np.pi * n / len(FACE_OVAL)
        points[index] = torch.tensor([0.5 + 0.25 * np.sin(angle), 0.5 - 0.35 * np.cos(angle)])
    for lids, corners, x in ((RIGHT_LIDS, RIGHT_EYE_CORNERS, 0.4), (LEFT_LIDS, LEFT_EYE_CORNERS, 0.6)):
        points[corners[0]], points[corners[1]] = torch.tensor([x - 0.05, 0.45]), torch.tensor([x + 0.05, 0.45])
        for upper, lower in lids:
            points[upper], points[lower] = torch.tensor([x, 0.43]), torch.tensor([x, 0.47])
    points[LEFT_EYE_CORNERS[0]], points[LEFT_EYE_CORNERS[1]] = torch.tensor([0.65, 0.45]), torch.tensor([0.55, 0.45])
    points[2] = torch.tensor([0.5, 0.6])
    points[6] = torch.tensor([0.5, 0.45])
    return points
