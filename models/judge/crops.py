"""Faces in pictures and the crops that the measuring networks take: boxes, squares, the aligned 112² face.

Pictures are uint8 (H, W, 3), RGB. Left and right are the subject's own.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

# Where SFace expects right eye, left eye, nose, right and left mouth corner in its 112 x 112 input (ArcFace's template).
SFACE_TEMPLATE: Final = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)


@dataclass(frozen=True)
class FaceBox:
    """A detected face, in pixels of its picture; `points` (5, 2): right eye, left eye, nose, right and left mouth corner."""

    x: float
    y: float
    width: float
    height: float
    points: NDArray[np.float32]
    score: float

    @property
    def centre(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def side(self) -> float:
        """The longer side: the side of `square(…, margin=1)`."""
        return max(self.width, self.height)

    @property
    def roll(self) -> float:
        """How far the line through the eyes is turned, degrees, clockwise on the screen positive."""
        right, left = self.points[:2]
        return float(np.degrees(np.arctan2(left[1] - right[1], left[0] - right[0])))

    def scaled(self, factor: float) -> "FaceBox":
        """The same face in a picture `factor` times as large."""
        return FaceBox(
            self.x * factor,
            self.y * factor,
            self.width * factor,
            self.height * factor,
            (self.points * factor).astype(np.float32),
            self.score,
        )

    def moved(self, dx: float, dy: float) -> "FaceBox":
        """The same box elsewhere: shifted by parts of its longer side."""
        shift = np.array([dx, dy], np.float32) * self.side
        return FaceBox(
            self.x + float(shift[0]), self.y + float(shift[1]), self.width, self.height, self.points + shift, self.score
        )

    def mirrored(self, picture_width: int) -> "FaceBox":
        """Where the face is once the picture is flipped left to right; right and left points change places."""
        points = self.points[[1, 0, 2, 4, 3]] * np.array([-1, 1], np.float32) + np.array([picture_width, 0], np.float32)
        return FaceBox(picture_width - self.x - self.width, self.y, self.width, self.height, points, self.score)


def resize(picture: Picture, side: int) -> Picture:
    """A square picture with `side` pixels, averaged where it shrinks."""
    shrinks = picture.shape[0] > side
    return _u8(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))


def square(picture: Picture, face: FaceBox, margin: float, side: int) -> Picture:
    """(side, side, 3): the square of `margin` box sides round the face's centre; beyond the border the edge repeats."""
    n = round(face.side * margin)
    left, top = round(face.centre[0] - n / 2), round(face.centre[1] - n / 2)
    columns = np.clip(np.arange(left, left + n), 0, picture.shape[1] - 1)
    rows = np.clip(np.arange(top, top + n), 0, picture.shape[0] - 1)
    return resize(picture[np.ix_(rows, columns)], side)


def grey(picture: Picture) -> NDArray[np.float32]:
    """(H, W), −1…1: the luma that the FER2013 networks take."""
    luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)
    return np.asarray((luma / 255 - 0.5) * 2, np.float32)


def aligned112(picture: Picture, face: FaceBox) -> Picture:
    """(112, 112, 3): the five points brought onto `SFACE_TEMPLATE` by a similarity (least median of squares)."""
    matrix, _ = cv2.estimateAffinePartial2D(face.points, SFACE_TEMPLATE, method=cv2.LMEDS)
    return _u8(cv2.warpAffine(picture, matrix, (112, 112)))


def upright(face: FaceBox, margin: float, side: int) -> NDArray[np.float64]:
    """(2, 3): the similarity that takes picture pixels into a `side` pixel square of `margin` boxes with level eyes."""
    matrix = cv2.getRotationMatrix2D(face.centre, face.roll, side / (face.side * margin))
    matrix[:, 2] += np.array([side / 2, side / 2]) - np.array(face.centre)
    return np.asarray(matrix, np.float64)


def _u8(picture: Any) -> Picture:
    return np.asarray(picture, np.uint8)
