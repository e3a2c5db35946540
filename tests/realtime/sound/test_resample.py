"""Resampling to the listening rate, tested by physics: tones stay, images vanish, blocks do not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.sound.resample import LISTENING_RATE, ToListeningRate


def tone(hertz: float, rate: int, seconds: float = 1.0, channels: int = 1) -> np.ndarray:
    wave = np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate).astype(np.float32)
    return np.repeat(wave[:, None], channels, 1)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 96000])
def test_a_tone_below_the_band_edge_keeps_its_level(rate: int) -> None:
    out = ToListeningRate(rate).step(tone(1000, rate))[2000:-2000]
    assert np.sqrt(2 * np.mean(out**2)) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("rate", [44100, 48000])
def test_a_tone_above_the_band_edge_vanishes(rate: int) -> None:
    out = ToListeningRate(rate).step(tone(10_000, rate))[2000:-2000]
    assert np.abs(out).max() < 1e-3


@settings(max_examples=30)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=20))
def test_blocks_do_not_matter(lengths: list[int]) -> None:
    signal = np.random.default_rng(0).standard_normal((sum(lengths), 1)).astype(np.float32)
    whole = ToListeningRate(44_100).step(signal)
    stream = ToListeningRate(44_100)
    parts = np.concatenate([stream.step(part) for part in np.split(signal, np.cumsum(lengths)[:-1])])
    n = min(len(parts), len(whole))
    np.testing.assert_allclose(parts[:n], whole[:n], atol=1e-6)


def test_it_lags_by_a_few_milliseconds_only() -> None:
    stream = ToListeningRate(48_000)
    out = sum(len(stream.step(tone(440, 48_000, 0.02))) for _ in range(100))
    assert 0 <= 2.0 - out / LISTENING_RATE < 0.05


def test_channels_are_averaged_and_gain_is_in_decibels() -> None:
    left_only = tone(1000, LISTENING_RATE, channels=2) * [1, 0]
    out = ToListeningRate(LISTENING_RATE, gain_db=20).step(left_only.astype(np.float32))
    assert np.abs(out).max() == pytest.approx(5.0, rel=0.01)
