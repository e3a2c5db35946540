"""Idle life: the same for the same seed and second, lids that blink as people's do, a head that hardly moves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.expression.idle_life import BLINK_LONGEST, BLINK_SHORTEST, blink, idle

seconds = st.floats(-10, 36000, allow_nan=False)
seeds = st.integers(0, 2**63)


@given(t=seconds, seed=seeds)
def test_values_stay_in_range_and_depend_on_nothing_else(t: float, seed: int) -> None:
    values = idle(t, seed)
    assert values == idle(t, seed)
    assert set(values) == {"blink", "yaw", "pitch"}
    assert 0 <= values["blink"] <= 1
    assert abs(values["yaw"]) <= 0.4
    assert abs(values["pitch"]) <= 0.4


@given(t=seconds, seed=seeds)
def test_nothing_jumps(t: float, seed: int) -> None:
    here, soon = idle(t, seed), idle(t + 0.001, seed)
    assert abs(soon["blink"] - here["blink"]) < 0.05
    assert abs(soon["yaw"] - here["yaw"]) < 0.002
    assert abs(soon["pitch"] - here["pitch"]) < 0.002


@pytest.mark.parametrize("seed", [0, 1, 7, 12345])
def test_blinks_come_every_two_to_six_seconds_and_take_a_fifth_of_one(seed: int) -> None:
    step = 0.002
    lids = np.array([blink(t, seed) for t in np.arange(0, 240, step)])
    closing = np.flatnonzero((lids[:-1] == 0) & (lids[1:] > 0)) * step
    opened = np.flatnonzero((lids[:-1] > 0) & (lids[1:] == 0)) * step
    opened = opened[opened > closing[0]]
    apart, lasts = np.diff(closing), opened[: len(closing)] - closing[: len(opened)]
    assert apart.min() >= 2 - 0.01
    assert apart.max() <= 6 + 0.01
    assert apart.std() > 0.3
    assert lasts.min() >= BLINK_SHORTEST - 0.01
    assert lasts.max() <= BLINK_LONGEST + 0.01
    for start, end in zip(closing, opened, strict=False):
        assert lids[int(start / step) : int(end / step)].max() > 0.97


def test_seeds_differ() -> None:
    times = np.arange(0, 60, 0.05)
    first, second = ([idle(t, seed)["yaw"] for t in times] for seed in (1, 2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.9
    assert [blink(t, 1) for t in times] != [blink(t, 2) for t in times]
