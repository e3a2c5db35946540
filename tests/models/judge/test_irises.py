"""Where irises are seen: beside the pupil, between the lids."""

import numpy as np
import pytest
from face_meshes import IRIS, mesh

from models.judge.irises import BAND, PUPIL, RIM, iris_weights
from models.judge.landmarks import IRIS_EDGES, IRISES, LEFT_EYE_OUTLINE, RIGHT_EYE_OUTLINE

SIDE = 512
POINTS = (SIDE * mesh()).numpy()


def test_both_irises_are_seen_beside_the_pupil_and_nothing_else() -> None:
    weights = iris_weights(POINTS, SIDE)
    assert weights.shape == (2, SIDE, SIDE)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for one, centre in zip(weights, POINTS[list(IRISES)], strict=True):
        away = np.hypot(columns - centre[0], rows - centre[1]) / (IRIS * SIDE)
        assert one.max() == 1.0
        assert not one[(away < PUPIL - 0.1) | (away > RIM + 0.1)].any()
        assert not one[np.abs(rows - centre[1]) > (BAND + 0.1) * IRIS * SIDE].any()
        assert (one * columns).sum() / one.sum() == pytest.approx(centre[0], abs=0.1)


def test_a_head_held_aslant_shows_the_same_of_them() -> None:
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    aslant = ((POINTS - SIDE / 2) @ turn.T + SIDE / 2).astype(np.float32)
    assert iris_weights(aslant, SIDE).sum((1, 2)) == pytest.approx(iris_weights(POINTS, SIDE).sum((1, 2)), rel=0.05)


def test_a_closed_eye_shows_none_and_the_other_stays() -> None:
    winking = POINTS.copy()
    winking[list(RIGHT_EYE_OUTLINE), 1] = 0.45 * SIDE + 0.6 * IRIS * SIDE
    right, left = iris_weights(winking, SIDE)
    assert right.sum() < 1
    assert left.sum() == iris_weights(POINTS, SIDE)[1].sum()


def test_half_a_lid_hides_half() -> None:
    sleepy = POINTS.copy()
    upper = [index for index in LEFT_EYE_OUTLINE if sleepy[index, 1] < 0.45 * SIDE]
    sleepy[upper, 1] = 0.45 * SIDE
    half = iris_weights(POINTS, SIDE)[1].sum() / 2
    assert iris_weights(sleepy, SIDE)[1].sum() == pytest.approx(half, rel=0.35)  # a lid's edge is a pixel wide


def test_irises_smaller_than_a_pixel_are_none() -> None:
    far = POINTS.copy()
    for centre, edges in zip(IRISES, IRIS_EDGES, strict=True):
        far[list(edges)] = far[centre]
    assert not iris_weights(far, SIDE).any()
