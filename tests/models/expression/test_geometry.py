"""Measures of movement: the right sign and size, and blind to place, size and tilt of the face."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.expression.geometry import MEASURES, measures

TOP, CHIN = 10, 152


def a_face() -> torch.Tensor:
    """478 points scattered over a face of height one, with the eye line level and the axis upright."""
    points = torch.from_numpy(np.random.RandomState(0).uniform(0.2, 0.8, (478, 2))).float()
    points[TOP], points[CHIN] = torch.tensor([0.5, 0.0]), torch.tensor([0.5, 1.0])
    points[33], points[263] = torch.tensor([0.3, 0.4]), torch.tensor([0.7, 0.4])
    return points


@given(angle=st.floats(-0.7, 0.7), size=st.floats(0.2, 300), x=st.floats(-50, 50), y=st.floats(-50, 50))
def test_place_size_and_tilt_do_not_matter(angle: float, size: float, x: float, y: float) -> None:
    turn = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).float()
    before, after = measures(a_face()), measures(a_face() @ turn.T * size + torch.tensor([x, y]))
    for name in MEASURES:
        assert float(after[name]) == pytest.approx(float(before[name]), abs=0.05)


@pytest.mark.parametrize(
    ("points", "move", "measure"),
    [
        ((55, 107, 285, 336), (0, -0.02), "brow_inner"),
        ((46, 70, 276, 300), (0, -0.02), "brow_outer"),
        ((158, 159, 160, 385, 386, 387), (0, -0.02), "lids"),
        ((14,), (0, 0.02), "lip_gap"),
        ((61, 291), (0, -0.02), "mouth_corners"),
        ((2,), (0, -0.02), "jaw"),
        ((291,), (0.02, 0), "mouth_width"),
    ],
)
def test_a_movement_of_two_hundredths_is_measured_as_two_and_by_its_own_measure(
    points: tuple[int, ...], move: tuple[float, float], measure: str
) -> None:
    face = a_face()
    moved = face.clone()
    moved[list(points)] += torch.tensor(move)
    before, after = measures(face), measures(moved)
    changes = {name: float(after[name] - before[name]) for name in MEASURES}
    assert changes.pop(measure) == pytest.approx(2, abs=0.01)
    assert all(abs(change) < 0.01 for change in changes.values())


def test_every_measure_has_a_gradient() -> None:
    face = a_face().requires_grad_()
    for name, value in measures(face).items():
        (gradient,) = torch.autograd.grad(value, face, retain_graph=True)
        assert gradient.abs().max() > 0, name
