"""Figures of merit against cases that can be counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.emotion_figures import binary_recall, calibration_error, confusion, fit_temperature, unweighted_average_recall


def test_average_recall_counts_every_emotion_alike() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    assert unweighted_average_recall(labels, np.zeros(100, int)) == 0.5
    assert confusion(labels, np.zeros(100, int))[1, 0] == 10


def test_emotions_that_do_not_occur_do_not_count() -> None:
    assert unweighted_average_recall(np.array([0, 1, 3, 4]), np.array([0, 1, 2, 4])) == 0.75


@given(st.lists(st.integers(0, 4), min_size=1, max_size=50))
def test_perfect_and_hopeless(labels: list[int]) -> None:
    truth = np.array(labels)
    assert unweighted_average_recall(truth, truth) == 1.0
    assert unweighted_average_recall(truth, (truth + 1) % 5) == 0.0


def test_two_ways() -> None:
    labels = np.array([0, 2, 3, 1, 4])
    assert binary_recall(labels, np.array([True, True, False, False, False])) == pytest.approx((2 / 3 + 1) / 2)


def test_calibration_of_a_boaster_and_of_an_honest_one() -> None:
    labels = np.arange(1_000) % 5
    sure = np.tile(np.array([0.98, 0.005, 0.005, 0.005, 0.005]), (1_000, 1))
    assert calibration_error(sure, labels) == pytest.approx(0.78, abs=0.01)
    assert calibration_error(np.full((1_000, 5), 0.2), labels) == pytest.approx(0.0, abs=1e-6)


@given(st.floats(0.5, 3.0))
def test_temperature_is_found_again(temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4_000, 5))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (p.cumsum(1) > rng.random((4_000, 1))).argmax(1)
    assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.12)
