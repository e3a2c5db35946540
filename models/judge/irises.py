"""Where a face's irises are seen, to tell whether they keep their colour.

Lids uncover more of an iris in one expression than in another, and shade what is above; the pupil and what mirrors in it say
nothing of its colour. So only two patches of each iris count, beside the pupil, as far as they lie between the lids.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.judge.landmarks import IRIS_EDGES, IRISES, LEFT_EYE_OUTLINE, RIGHT_EYE_OUTLINE, Points

PUPIL: Final = 0.4  # of the iris's radius, from where on its colour is seen
RIM: Final = 0.85  # to where
BAND: Final = 0.45  # above and below the centre
FINE: Final = 8  # parts of a pixel that outlines are drawn by


def iris_weights(points: Points, side: int) -> NDArray[np.float32]:
    """(2, side, side), 0…1: how much each pixel shows of the right iris and the left, by points (478, 2) in pixels."""
    pixels = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).astype(np.float32)
    eyes = zip(IRISES, IRIS_EDGES, (RIGHT_EYE_OUTLINE, LEFT_EYE_OUTLINE), strict=True)
    return np.stack([_weights(points, pixels, *eye) for eye in eyes])


def _weights(
    points: Points, pixels: NDArray[np.float32], centre: int, edges: tuple[int, int], outline: tuple[int, ...]
) -> NDArray[np.float32]:
    across = points[edges[1]] - points[edges[0]]
    radius = float(np.linalg.norm(across)) / 2
    if radius < 1:
        return np.zeros(pixels.shape[:2], np.float32)
    down = np.array([-across[1], across[0]]) / (2 * radius)
    away = pixels - points[centre]
    distance = np.linalg.norm(away, axis=-1)
    inside = np.minimum.reduce([RIM * radius - distance, distance - PUPIL * radius, BAND * radius - np.abs(away @ down)])
    between_lids = np.zeros(pixels.shape[:2], np.uint8)
    drawn = np.round(points[list(outline)] * FINE).astype(np.int32)
    cv2.fillPoly(between_lids, [drawn], (255,), cv2.LINE_AA, shift=FINE.bit_length() - 1)
    return np.asarray(np.clip(inside + 0.5, 0, 1) * (between_lids / 255), np.float32)
