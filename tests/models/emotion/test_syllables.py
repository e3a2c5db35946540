"""Syllables of made-up voices whose number is known."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.emotion import pitch
from models.emotion.prosody import HOP, ProsodyTracker
from models.emotion.syllables import SECONDS, SyllableRate, vowel_level_db

RATE = 16_000


def spoken(per_second: float, seconds: float = 6.0, level: float = 0.1) -> np.ndarray:
    """A vowel of 150 Hz with formants, opened and closed `per_second` times a second."""
    t = np.arange(int(RATE * seconds)) / RATE
    formants = [1 / (1 + ((150 * k - 600) / 150) ** 2) + 1 / (1 + ((150 * k - 1_400) / 200) ** 2) for k in range(1, 20)]
    buzz = sum(a * np.sin(2 * np.pi * 150 * k * t) for k, a in enumerate(formants, 1))
    return (level * buzz * np.clip(np.sin(np.pi * per_second * t) ** 2, 0.02, 1)).astype(np.float32)


def last_rate(sound: np.ndarray) -> float:
    tracker = ProsodyTracker()
    return [tracker.step(sound[i : i + HOP]).rate for i in range(0, len(sound) - HOP + 1, HOP)][-1]


@pytest.mark.parametrize("per_second", [2.0, 3.0, 5.0, 7.0])
@pytest.mark.parametrize("level", [0.1, 0.003])
def test_syllables_are_counted_at_any_speed_and_level(per_second: float, level: float) -> None:
    assert last_rate(spoken(per_second, level=level)) == pytest.approx(per_second, abs=1 / SECONDS + 1e-9)


def test_a_held_vowel_is_one_syllable_at_most() -> None:
    tracker = ProsodyTracker()
    t = np.arange(3 * RATE) / RATE
    held = (0.1 * sum(np.sin(2 * np.pi * 200 * k * t) / k for k in range(1, 10))).astype(np.float32)
    assert max(tracker.step(held[i : i + HOP]).rate for i in range(0, len(held), HOP)) <= 1 / SECONDS + 1e-9


def test_what_is_not_voiced_is_no_syllable() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 4 * RATE)
    bursts = (noise * (np.sin(2 * np.pi * 4 * np.arange(4 * RATE) / RATE) > 0)).astype(np.float32)
    assert last_rate(bursts) == 0.0


def test_three_seconds_of_silence_forget_them() -> None:
    assert last_rate(np.concatenate([spoken(4.0), np.zeros(3 * RATE, np.float32)])) == 0.0


def test_echoes_far_below_the_voice_do_not_count() -> None:
    loud, soft = spoken(2.0, 1.5), spoken(6.0, 1.0, level=0.1 * 10 ** (-35 / 20))
    assert last_rate(np.concatenate([loud, soft])) <= 3 / SECONDS + 1e-9


def test_the_level_of_vowels_is_decibels_of_the_band() -> None:
    t = np.arange(pitch.BLOCK) / RATE
    inside, outside = (
        vowel_level_db(pitch.spectrum(torch.from_numpy(np.sin(2 * np.pi * f * t)).float())) for f in (1_000, 6_000)
    )
    # The window takes 4.3 dB off a full sine's -3.0.
    assert inside == pytest.approx(-7.3, abs=0.3) and outside < -60


@given(st.lists(st.tuples(st.floats(-100, 0), st.floats(0, 1)), max_size=400))
def test_the_rate_stays_within_what_can_be_said(steps: list[tuple[float, float]]) -> None:
    syllables = SyllableRate(0.02)
    for level, voiced in steps:
        assert 0.0 <= syllables.step(level, voiced) <= 25.0
