"""Crops: squares with repeated edges, alignment by five points, crops turned level."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.judge.crops import SFACE_TEMPLATE, FaceBox, aligned112, square, upright


def face_at(x: float, y: float, width: float, height: float) -> FaceBox:
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32) * [width, height] + [x, y]
    return FaceBox(x, y, width, height, points.astype(np.float32), 0.9)


@given(x=st.floats(-60, 120), y=st.floats(-60, 120), side=st.floats(8, 150), margin=st.floats(0.5, 2))
def test_square_has_the_asked_size_wherever_the_face_is(x: float, y: float, side: float, margin: float) -> None:
    picture = np.random.RandomState(0).randint(0, 256, (100, 120, 3), dtype=np.uint8)
    assert square(picture, face_at(x, y, side, side), margin, 32).shape == (32, 32, 3)


def test_square_repeats_the_edge_beyond_the_border() -> None:
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:, -1] = 200
    crop = square(picture, face_at(20, 0, 40, 40), 1.0, 40)
    assert (crop[:, 20:] == 200).all()
    assert (crop[:, :19] == 0).all()


def test_aligned_face_has_its_points_on_the_template() -> None:
    angle, scale = np.radians(20), 2.5
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (SFACE_TEMPLATE @ turn.T + [180, 60]).astype(np.float32)
    picture = np.zeros((600, 600, 3), np.uint8)
    for index, (x, y) in enumerate(points.round().astype(int)):
        picture[y - 4 : y + 5, x - 4 : x + 5] = 50 * (index + 1)
    crop = aligned112(picture, FaceBox(0, 0, 600, 600, points, 1.0))
    for index, (x, y) in enumerate(SFACE_TEMPLATE.round().astype(int)):
        assert abs(int(crop[y, x, 0]) - 50 * (index + 1)) < 15


@given(roll=st.floats(-40, 40), margin=st.floats(0.8, 2))
def test_upright_puts_the_eyes_level_and_the_centre_in_the_middle(roll: float, margin: float) -> None:
    right = np.array([100.0, 100.0])
    left = right + 60 * np.array([np.cos(np.radians(roll)), np.sin(np.radians(roll))])
    points = np.array([right, left, right, right, left], np.float32)
    face = FaceBox(80, 70, 100, 130, points, 1.0)
    matrix = upright(face, margin, 256)
    eyes = points[:2] @ matrix[:, :2].T + matrix[:, 2]
    assert abs(eyes[0, 1] - eyes[1, 1]) < 1e-3
    assert np.allclose(matrix[:, :2] @ np.array(face.centre) + matrix[:, 2], 128)
