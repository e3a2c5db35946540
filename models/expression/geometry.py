"""How far parts of a face have moved, from landmarks: brows, lids, lips, irises, in hundredths of the face's height.

Every measure is a distance along the face's own upright axis or across it, so that it doesn't change when the head tilts in the
picture. Differentiable and nearly linear in the points, where scores such as blendshapes saturate and leave no gradient.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.judge.landmarks import IRISES, POSE_POINTS, turn_by_point

TOP_AND_CHIN: Final = (10, 152)
OUTER_EYE_CORNERS: Final = (33, 263)
INNER_EYE_CORNERS: Final = (133, 362)
INNER_BROWS: Final = (55, 107, 285, 336)
OUTER_BROWS: Final = (46, 70, 276, 300)
UPPER_LIDS: Final = (158, 159, 160, 385, 386, 387)
LOWER_LIDS: Final = (153, 145, 144, 380, 374, 373)
UPPER_LIP: Final = (13,)
LOWER_LIP: Final = (14,)
MOUTH_CORNERS: Final = (61, 291)
NOSE_BASE: Final = (2,)
CHIN: Final = (152,)
_POSE_SIDE: Final = 256  # pixels of a picture in which turns are found; angles are the same in any


# Parts that lie on both sides: upper and lower part, each with the right side's points first.
SIDED: Final = {
    "brow_inner": (INNER_BROWS, INNER_EYE_CORNERS),
    "brow_outer": (OUTER_BROWS, OUTER_EYE_CORNERS),
    "lids": (UPPER_LIDS, LOWER_LIDS),
    "mouth_corners": (MOUTH_CORNERS, UPPER_LIP),
}


def measures(points: Tensor) -> dict[str, Tensor]:
    """The measures of points (478, 2), y down, any unit: name → hundredths of the face's height."""
    above, across, unit = _axes(points)
    values: Mapping[str, Callable[[], Tensor]] = {
        **{name: partial(above, *parts) for name, parts in SIDED.items()},
        "lip_gap": lambda: above(UPPER_LIP, LOWER_LIP),
        "jaw": lambda: above(NOSE_BASE, CHIN),
        "mouth_width": lambda: (points[MOUTH_CORNERS[1]] - points[MOUTH_CORNERS[0]]) @ across,
        "gaze": lambda: (points[list(IRISES)].mean(0) - points[[*OUTER_EYE_CORNERS, *INNER_EYE_CORNERS]].mean(0)) @ across,
    }
    return {name: values[name]() / unit for name in MEASURES}


def lopsidedness(points: Tensor) -> Tensor:
    """(4,): how much farther the right side's brow, lids and corner are up than the left's, hundredths of the face's height."""
    above, _, unit = _axes(points)

    def side(parts: tuple[int, ...], number: int) -> tuple[int, ...]:
        half = max(1, len(parts) // 2)
        return parts[-half:] if number else parts[:half]

    return (
        torch.stack([above(side(up, 0), side(down, 0)) - above(side(up, 1), side(down, 1)) for up, down in SIDED.values()]) / unit
    )


def _axes(points: Tensor) -> tuple[Callable[[tuple[int, ...], tuple[int, ...]], Tensor], Tensor, Tensor]:
    """How far one part lies above another, the axis from eye to eye, and a hundredth of the face's height."""
    eyes = (points[OUTER_EYE_CORNERS[1]] - points[OUTER_EYE_CORNERS[0]]).detach()
    across = eyes / eyes.norm()
    down = torch.stack([-across[1], across[0]])

    def above(upper: tuple[int, ...], lower: tuple[int, ...]) -> Tensor:
        return (points[list(lower)].mean(0) - points[list(upper)].mean(0)) @ down

    return above, across, (points[TOP_AND_CHIN[1]] - points[TOP_AND_CHIN[0]]).norm().detach() / 100


MEASURES: Final = ("brow_inner", "brow_outer", "lids", "lip_gap", "jaw", "mouth_corners", "mouth_width", "gaze")


def turned_from(start: Tensor) -> Callable[[Tensor], Tensor]:
    """How far a head has turned since `start`: of a face mesh (478, 2) in units of the picture's side, pitch, yaw and roll (3,)
    in degrees; straight on from the slopes of `landmarks.pose` at the start, so that it has a gradient."""
    slopes = turn_by_point((start.detach().cpu().numpy() * _POSE_SIDE).astype(np.float32), _POSE_SIDE)
    by_point = torch.from_numpy(_POSE_SIDE * slopes).to(start)
    return lambda points: (by_point * (points - start)[list(POSE_POINTS)]).sum((1, 2))
