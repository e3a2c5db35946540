"""The 478 points of MediaPipe's face mesh: which is where, what the 52 blendshapes are called, pose and regions.

Point numbers and blendshape names are those of MediaPipe's face landmarker. Points are pixels, y down.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]

# The points that the blendshape network reads, in its order.
BLENDSHAPE_POINTS: Final = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153,
    154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251,
    263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
)  # fmt: skip

BLENDSHAPES: Final = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight",
)  # fmt: skip

# Places in `BLENDSHAPES` of every movement that has sides, the left one first; gaze, jaw and whole mouth left out.
SIDED_BLENDSHAPES: Final = {
    name.removesuffix("Left"): (number, BLENDSHAPES.index(name.removesuffix("Left") + "Right"))
    for number, name in enumerate(BLENDSHAPES)
    if name.endswith("Left") and name != "mouthLeft" and not name.startswith(("eyeLook", "jaw"))
}

FACE_OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
# Patches of bare skin, away from brows, eyes, nostrils and lips.
RIGHT_CHEEK: Final = (117, 118, 101, 36, 205, 187, 123)
LEFT_CHEEK: Final = (346, 347, 330, 266, 425, 411, 352)
FOREHEAD: Final = (108, 151, 337, 336, 9, 107)
SKIN: Final = (RIGHT_CHEEK, LEFT_CHEEK, FOREHEAD)

# (upper lid, lower lid) and (inner, outer corner) of each eye; mouth corners.
RIGHT_LIDS: Final = ((159, 145), (158, 153), (160, 144))
LEFT_LIDS: Final = ((386, 374), (385, 380), (387, 373))
IRISES: Final = (468, 473)
IRIS_EDGES: Final = ((471, 469), (476, 474))  # of each, across
RIGHT_EYE_OUTLINE: Final = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE_OUTLINE: Final = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_EYE_CORNERS: Final = (33, 133)
LEFT_EYE_CORNERS: Final = (263, 362)
MOUTH_CORNERS: Final = (61, 291)

# Points that expressions hardly move, for pose: eye corners, bridge and tip of the nose, temples, with their place on a mean head
# (cm; x to the subject's left, y up, z to the front), rounded from MediaPipe's canonical face model.
POSE_POINTS: Final = (33, 263, 133, 362, 6, 168, 1, 127, 356)
POSE_MODEL: Final = np.array(
    [
        [-4.45, 2.66, 3.17], [4.45, 2.66, 3.17], [-1.86, 2.59, 3.75], [1.86, 2.59, 3.75], [0.0, 2.47, 5.79],
        [0.0, 3.27, 5.24], [0.0, -1.13, 7.48], [-7.74, 2.37, -2.28], [7.74, 2.37, -2.28],
    ],
    np.float64,
)  # fmt: skip


def pose(points: Points, side: int) -> NDArray[np.float64]:
    """(3,) pitch, yaw, roll in degrees of the head in `points` (478, 2), seen by a camera of 20° over `side` pixels.

    Perspective-n-point on points that expressions hardly move; good for the difference of two poses, less for one.
    """
    focal = side / (2 * np.tan(np.radians(10)))
    camera = np.array([[focal, 0, side / 2], [0, focal, side / 2], [0, 0, 1]], np.float64)
    model = POSE_MODEL * np.array([1, -1, -1])  # to the camera's axes: y down, z away
    seen = points[list(POSE_POINTS)].astype(np.float64)
    _, turn, place = cv2.solvePnP(model, seen, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    matrix = np.asarray(cv2.Rodrigues(turn)[0])
    if matrix[2, 2] < 0:  # a head that looks away fits a few faces better than theirs: search near the front instead
        _, turn, _ = cv2.solvePnP(model, seen, camera, None, np.zeros(3), np.abs(place), True, cv2.SOLVEPNP_ITERATIVE)
        matrix = np.asarray(cv2.Rodrigues(turn)[0])
    pitch = np.arctan2(matrix[2, 1], matrix[2, 2])
    yaw = np.arctan2(-matrix[2, 0], np.hypot(matrix[0, 0], matrix[1, 0]))
    roll = np.arctan2(matrix[1, 0], matrix[0, 0])
    return np.asarray(np.degrees([pitch, yaw, roll]))


def turn_by_point(points: Points, side: int) -> NDArray[np.float64]:
    """(3, 9, 2): by how much `pose` changes for a pixel by which one of `POSE_POINTS` moves across or down."""
    slopes = np.zeros((3, len(POSE_POINTS), 2))
    for place, point in enumerate(POSE_POINTS):
        for axis in range(2):
            step = np.zeros_like(points)
            step[point, axis] = 0.5
            slopes[:, place, axis] = pose(points + step, side) - pose(points - step, side)
    return slopes


def polygon(points: Points, indices: tuple[int, ...], side: int) -> NDArray[np.bool_]:
    """(side, side): inside the polygon through these points."""
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [np.round(points[list(indices)]).astype(np.int32)], (1,))
    return mask.astype(bool)
