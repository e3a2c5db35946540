"""One picture's reading by the networks that judge, and what changed from a face's neutral picture to an expressive one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.judge.colour import ciede2000, lab
from models.judge.crops import FaceBox, Picture
from models.judge.irises import iris_weights
from models.judge.landmarks import FACE_OVAL, SIDED_BLENDSHAPES, SKIN, Points, polygon, pose
from models.judge.measure import Blendshapes, Detector, Facemood, Fer, Landmarks, SFace
from models.judge.networks import check_there, names

LEAST_IRIS: Final = 20.0  # pixels of one, for its colour to be told
FACE_MARGIN: Final = 0.04  # of the picture's side: how far round the oval a difference still counts as the face's


@dataclass(frozen=True)
class Reading:
    """What is seen in one picture."""

    picture: Picture
    face: FaceBox
    points: Points  # (478, 2), pixels
    fer: NDArray[np.float32]  # (5,), forced choice, order of EMOTIONS
    facemood: NDArray[np.float32]  # (5,)
    identity: NDArray[np.float32]  # (128,), length one
    pose: NDArray[np.float64]  # (3,): pitch, yaw, roll in degrees
    blendshapes: Mapping[str, float]


@dataclass(frozen=True)
class Change:
    """From neutral to an expression of the same face."""

    same_person: float  # SFace's cosine
    skin: float  # CIEDE2000 of the mean colours of cheeks and forehead, mean of the three
    irises: float | None  # the same of both irises, beside the pupil; None where one is not seen in both pictures
    elsewhere: float  # mean absolute difference outside the face (background, hair, clothes), 0…1
    turn: float  # largest change of pitch, yaw and roll, degrees
    asymmetry: float  # largest difference between left and right over the blendshapes that have sides, gaze left out


class Judge:
    """The judging networks, opened from a folder. Raises `UserError` naming all that are missing."""

    def __init__(self, folder: Path) -> None:
        check_there(folder, *names("judge", "geometry"))
        self._detect, self._mesh = Detector(folder), Landmarks(folder)
        self._fer, self._facemood, self._sface = Fer(folder), Facemood(folder), SFace(folder)
        self._blendshapes = Blendshapes(folder)

    def read(self, picture: Picture) -> Reading:
        """Raises `UserError` where no face is seen."""
        face = self._detect(picture)
        points = self._mesh(picture, face)
        return Reading(
            picture,
            face,
            points,
            self._fer(picture, face),
            self._facemood(picture, face),
            self._sface(picture, face),
            pose(points, picture.shape[1]),
            self._blendshapes(points),
        )


def change(neutral: Reading, full: Reading) -> Change:
    """What an expression did beside the expression."""
    differences = [ciede2000(_mean_lab(neutral, patch), _mean_lab(full, patch)).item() for patch in SKIN]
    outside = ~(_face_mask(neutral) | _face_mask(full))
    apart = np.abs(neutral.picture.astype(np.float32) - full.picture.astype(np.float32)).mean(2) / 255
    return Change(
        same_person=float(neutral.identity @ full.identity),
        skin=float(np.mean(differences)),
        irises=_irises(neutral, full),
        elsewhere=float(apart[outside].mean()),
        turn=float(np.abs((full.pose - neutral.pose + 180) % 360 - 180).max()),
        asymmetry=max(map(abs, lopsided(full.blendshapes).values())),
    )


def lopsided(blendshapes: Mapping[str, float]) -> dict[str, float]:
    """Left minus right of every movement that has sides, by its name without the side; gaze, jaw and whole mouth left out."""
    return {name: blendshapes[f"{name}Left"] - blendshapes[f"{name}Right"] for name in SIDED_BLENDSHAPES}


def _mean_lab(reading: Reading, patch: tuple[int, ...]) -> NDArray[np.float64]:
    mask = polygon(reading.points, patch, reading.picture.shape[0])
    return np.asarray(lab(reading.picture[mask].astype(np.float64) / 255).mean(0))


def _irises(neutral: Reading, full: Reading) -> float | None:
    differences = []
    for before, after in zip(*(iris_weights(r.points, r.picture.shape[0]) for r in (neutral, full)), strict=True):
        if min(before.sum(), after.sum()) < LEAST_IRIS:
            return None
        colours = [
            np.average(lab(reading.picture[weights > 0].astype(np.float64) / 255), axis=0, weights=weights[weights > 0])
            for reading, weights in ((neutral, before), (full, after))
        ]
        differences.append(ciede2000(*colours).item())
    return float(np.mean(differences))


def _face_mask(reading: Reading) -> NDArray[np.bool_]:
    side = reading.picture.shape[0]
    n = 2 * round(FACE_MARGIN * side) + 1
    oval = polygon(reading.points, FACE_OVAL, side).astype(np.uint8)
    return np.asarray(cv2.dilate(oval, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (n, n))), np.uint8).astype(bool)
