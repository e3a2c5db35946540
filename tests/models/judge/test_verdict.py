"""What an expression changed, on painted pictures with a known mesh."""

from dataclasses import replace

import numpy as np
import pytest
from face_meshes import mesh

from models.judge.colour import ciede2000, lab
from models.judge.crops import FaceBox
from models.judge.irises import iris_weights
from models.judge.landmarks import BLENDSHAPES, LEFT_EYE_OUTLINE, SKIN, polygon, pose
from models.judge.verdict import Reading, change

SIDE = 512
POINTS = (SIDE * mesh()).numpy()
BROWN, GREY = np.array([90, 60, 40], np.uint8), np.array([110, 115, 120], np.uint8)


def reading(irises: np.ndarray = BROWN, skin: int = 180) -> Reading:
    picture = np.full((SIDE, SIDE, 3), 128, np.uint8)
    picture[iris_weights(POINTS, SIDE).sum(0) > 0] = irises
    for patch in SKIN:
        picture[polygon(POINTS, patch, SIDE)] = skin
    who, five = np.zeros(128, np.float32), np.zeros(5, np.float32)
    who[0] = 1
    face = FaceBox(0.25 * SIDE, 0.15 * SIDE, 0.5 * SIDE, 0.7 * SIDE, POINTS[:5], 1.0)
    return Reading(picture, face, POINTS, five, five, who, pose(POINTS, SIDE), dict.fromkeys(BLENDSHAPES, 0.0))


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(ciede2000(lab(one / 255), lab(other / 255)))


def test_nothing_changed() -> None:
    same = change(reading(), reading())
    assert same.same_person == 1.0
    assert same.skin == same.irises == same.elsewhere == same.turn == same.asymmetry == 0.0


def test_irises_and_skin_are_told_apart() -> None:
    grey = change(reading(), reading(irises=GREY))
    assert grey.skin == grey.elsewhere == 0.0
    assert grey.irises == pytest.approx(apart(BROWN, GREY), rel=1e-6)
    pale = change(reading(), reading(skin=200))
    assert pale.irises == 0.0
    assert pale.skin == pytest.approx(apart(np.full(3, 180), np.full(3, 200)), rel=1e-6)


def test_of_an_eye_that_is_closed_nothing_is_said() -> None:
    points = POINTS.copy()
    points[list(LEFT_EYE_OUTLINE), 1] = 0.46 * SIDE
    assert change(reading(), replace(reading(), points=points)).irises is None
