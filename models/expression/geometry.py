"""How far parts of a face have moved, from landmarks: brows, lids, lips, in hundredths of the face's height.

Every measure is a distance along the face's own upright axis or across it, so that it doesn't change when the head tilts in the
picture. Differentiable and nearly linear in the points, where scores such as blendshapes saturate and leave no gradient.
"""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor

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


def measures(points: Tensor) -> dict[str, Tensor]:
    """The measures of points (478, 2), y down, any unit: name → hundredths of the face's height."""
    eyes = (points[OUTER_EYE_CORNERS[1]] - points[OUTER_EYE_CORNERS[0]]).detach()
    across = eyes / eyes.norm()
    down = torch.stack([-across[1], across[0]])
    height = (points[TOP_AND_CHIN[1]] - points[TOP_AND_CHIN[0]]).norm().detach()

    def place(indices: tuple[int, ...]) -> Tensor:
        return points[list(indices)].mean(0)

    def above(upper: tuple[int, ...], lower: tuple[int, ...]) -> Tensor:
        """How far one part lies above another."""
        return (place(lower) - place(upper)) @ down

    values: Mapping[str, Callable[[], Tensor]] = {
        "brow_inner": lambda: above(INNER_BROWS, INNER_EYE_CORNERS),
        "brow_outer": lambda: above(OUTER_BROWS, OUTER_EYE_CORNERS),
        "lids": lambda: above(UPPER_LIDS, LOWER_LIDS),
        "lip_gap": lambda: above(UPPER_LIP, LOWER_LIP),
        "jaw": lambda: above(NOSE_BASE, CHIN),
        "mouth_corners": lambda: above(MOUTH_CORNERS, UPPER_LIP),
        "mouth_width": lambda: (points[MOUTH_CORNERS[1]] - points[MOUTH_CORNERS[0]]) @ across,
    }
    return {name: 100 * value() / height for name, value in values.items()}


MEASURES: Final = ("brow_inner", "brow_outer", "lids", "lip_gap", "jaw", "mouth_corners", "mouth_width")
