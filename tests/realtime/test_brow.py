"""Brows: they rise with a voice that rises above its own usual pitch, whichever that is, and come down when it ends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.brow import EVERY, HIGHEST, Brow
from realtime.values import Prosody


def spoken(brow: Brow, start: float, seconds: float, f0_hz: float) -> float:
    """Feel a steady pitch; the time after it."""
    count = round(seconds / EVERY)
    for n in range(count):
        brow.feel(Prosody(start + n * EVERY, -20.0, f0_hz, 1.0 if f0_hz else 0.0))
    return start + count * EVERY


@pytest.mark.parametrize("usual", [90.0, 220.0, 400.0])
def test_any_voice_lifts_the_brows_above_its_own_pitch_and_lets_them_fall(usual: float) -> None:
    brow = Brow()
    t = spoken(brow, 0.0, 5.0, usual)
    assert brow.at(t) == 0
    t = spoken(brow, t, 0.3, usual * 2 ** (HIGHEST / 12))
    up = brow.at(t)
    assert up > 0.7
    t = spoken(brow, t, 1.0, 0.0)
    assert brow.at(t) < 0.02


def test_the_first_words_lift_nothing() -> None:
    brow = Brow()
    t = spoken(brow, 0.0, 0.5, 120.0)
    assert brow.at(spoken(brow, t, 0.3, 240.0)) == 0


def test_no_sound_at_all_lets_them_fall() -> None:
    brow = Brow()
    t = spoken(brow, spoken(brow, 0.0, 4.0, 150.0), 0.3, 300.0)
    brow.rest(t)
    assert brow.at(t + 1.0) < 0.02


@given(st.lists(st.floats(0, 600), max_size=200))
def test_whatever_the_pitch_lift_stays_in_range(pitches: list[float]) -> None:
    brow = Brow()
    for n, f0_hz in enumerate(pitches):
        brow.feel(Prosody(n * EVERY, -20.0, f0_hz, 1.0))
        assert 0 <= brow.at(n * EVERY) <= 1
    assert np.isfinite(brow.at(10.0))
