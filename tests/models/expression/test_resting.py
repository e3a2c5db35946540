"""A rest that still smiles is led on until it is seen as neutral, as far as a face of this person stays."""

from dataclasses import replace

import numpy as np
import pytest
from grey_faces import Generator, Networks, eyes
from hypothesis import given
from hypothesis import strategies as st

from models.expression.paths import ExpressionPaths
from models.expression.resting import CALM, LOOKS, farther_by, rested

START = np.zeros((2, 4), np.float32)


def face(grey: float) -> ExpressionPaths:
    """At rest of this grey, which the networks of `grey_faces` see as neutral by log-odds of -4 + 10 of it."""
    paths = np.zeros((5, 1, 2, 4), np.float32)
    paths[3] = 0.1
    return ExpressionPaths(np.full((2, 4), grey, np.float32), paths, {"blink": np.ones((2, 4), np.float32)}, "hash", "seed:1")


@pytest.mark.parametrize("grey", [0.55, 0.6, 0.7])
def test_a_rest_that_is_not_calm_is_led_on_until_it_is(grey: float) -> None:
    found = rested(Generator(), START, face(grey), eyes(Networks()))
    assert found.neutral == pytest.approx((CALM + 4) / 10, abs=0.005)
    assert found.neutral + found.paths[3, -1] == pytest.approx(grey + 0.1)
    assert not found.paths[0].any()


def test_a_calm_rest_and_a_face_that_was_never_led_stay(grey: float = 0.8) -> None:
    networks = Networks()
    assert rested(Generator(), START, face(grey), eyes(networks)).neutral == pytest.approx(grey)
    assert networks.looks == 1
    unled = replace(face(grey), neutral=START)
    assert rested(Generator(), START, unled, eyes(Networks())) is unled


def test_it_goes_no_farther_than_looks_go_or_the_person_stays() -> None:
    assert rested(Generator(), START, face(0.4), eyes(Networks())).neutral == pytest.approx((1 + LOOKS[-1]) * 0.4)
    lost = rested(Generator(), START, face(0.5), eyes(Networks(lost=0.65))).neutral
    assert (lost >= (1 + LOOKS[0]) * 0.5).all() and (lost < 0.65).all(), "between the look before it is lost and that after"
    assert rested(Generator(spread=1.0), START, face(0.55), eyes(Networks())).neutral == pytest.approx(0.55)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=1 + len(LOOKS)), st.floats(0, LOOKS[-1]))
def test_it_never_goes_back_nor_past_what_was_looked_at(log_odds: list[float], most: float) -> None:
    assert 0.0 <= farther_by(log_odds, most) <= min(most, [0.0, *LOOKS][len(log_odds) - 1])
