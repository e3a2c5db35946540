"""The spring: a function of seconds, whatever the frame rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.spring import Spring


def test_it_covers_ninety_per_cent_in_the_time_it_is_given() -> None:
    spring = Spring(np.zeros(1))
    spring.aim(10.0, np.ones(1), seconds=0.5)
    assert spring.at(10.0)[0] == 0.0
    assert spring.at(10.5)[0] == pytest.approx(0.9, abs=1e-4)


def test_it_obeys_its_equation_of_motion() -> None:
    spring = Spring(np.zeros(1))
    spring.aim(0.0, np.ones(1), 1.0)
    omega, dt = 3.8897, 1e-3
    for t in np.arange(0.1, 2, 0.1):
        x0, x1, x2 = (spring.at(t + d)[0] for d in (-dt, 0, dt))
        acceleration, velocity = (x2 - 2 * x1 + x0) / dt**2, (x2 - x0) / (2 * dt)
        assert acceleration == pytest.approx(omega**2 * (1 - x1) - 2 * omega * velocity, abs=1e-3)


@given(st.lists(st.tuples(st.floats(0.01, 0.5), st.floats(-1, 1), st.floats(0, 2)), min_size=1, max_size=10), st.integers(1, 50))
def test_looking_at_it_changes_nothing(aims: list[tuple[float, float, float]], looks: int) -> None:
    watched, alone = Spring(np.zeros(1)), Spring(np.zeros(1))
    t = 0.0
    for dt, target, seconds in aims:
        for spring in (watched, alone):
            spring.aim(t, np.array([target]), seconds)
        for k in range(looks):
            watched.at(t + dt * k / looks)
        t += dt
    assert watched.at(t)[0] == alone.at(t)[0]


@given(st.lists(st.tuples(st.floats(0.01, 1), st.integers(0, 4), st.floats(0, 3)), min_size=1, max_size=10))
def test_what_adds_up_to_one_always_does(aims: list[tuple[float, int, float]]) -> None:
    spring, t = Spring(np.eye(5)[1]), 0.0
    for dt, target, seconds in aims:
        spring.aim(t, np.eye(5)[target], seconds)
        t += dt
        assert spring.at(t - dt / 2).sum() == pytest.approx(1.0)


def test_it_never_overshoots_from_rest() -> None:
    spring = Spring(np.zeros(1))
    spring.aim(0.0, np.ones(1), 0.3)
    xs = [spring.at(t)[0] for t in np.linspace(0, 5, 500)]
    assert max(xs) <= 1.0
    assert np.all(np.diff(xs) >= 0)


def test_zero_seconds_is_at_once() -> None:
    spring = Spring(np.zeros(1))
    spring.aim(0.0, np.ones(1), 0.0)
    assert spring.at(0.0)[0] == 1.0
