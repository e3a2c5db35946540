"""Level, pitch and voicing of a stream."""

import math

import numpy as np
import pytest

from models.emotion.prosody import HOP, LEVEL_MIN_DB, ProsodyTracker


def vowel(f0: np.ndarray, amplitude: float = 0.1) -> np.ndarray:
    """A buzz whose pitch follows f0 (Hz per sample at 16 kHz)."""
    phase = 2 * np.pi * np.cumsum(f0) / 16_000
    return (amplitude * sum(np.sin(k * phase) / k for k in range(1, 8))).astype(np.float32)


def track(sound: np.ndarray) -> list:
    tracker = ProsodyTracker()
    return [tracker.step(sound[i : i + HOP]) for i in range(0, len(sound) - HOP + 1, HOP)]


def test_follows_a_gliding_pitch() -> None:
    f0 = np.linspace(110.0, 260.0, 16_000)
    heard = track(vowel(f0))[3:]
    # The pitch is that of the newest 40 ms, so of the moment 20 ms ago.
    expected = [f0[(k + 3) * HOP] for k in range(len(heard))]
    assert np.median(np.abs(np.array([h.f0_hz for h in heard]) / expected - 1)) < 0.03
    assert all(h.voiced > 0.5 for h in heard)


def test_level_is_rms_in_decibels() -> None:
    sound = np.full(HOP, 0.1, np.float32)
    assert ProsodyTracker().step(sound).level_db == pytest.approx(-20.0, abs=0.01)
    assert ProsodyTracker().step(np.zeros(HOP, np.float32)).level_db == LEVEL_MIN_DB


def test_noise_has_no_pitch() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 16_000).astype(np.float32)
    assert np.mean([h.f0_hz == 0.0 for h in track(noise)]) > 0.9


def test_what_is_no_number_counts_as_silence() -> None:
    heard = ProsodyTracker().step(np.full(HOP, np.nan, np.float32))
    assert heard.f0_hz == 0.0 and math.isfinite(heard.level_db) and math.isfinite(heard.voiced)


def test_wrong_block_size_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 320 samples"):
        ProsodyTracker().step(np.zeros(100, np.float32))


def test_agrees_with_pyin_on_a_voice_with_formants() -> None:
    librosa = pytest.importorskip("librosa", reason="pyin, the reference for pitch, needs librosa")
    rng = np.random.default_rng(1)
    f0 = 170.0 * 2 ** (0.4 * np.sin(2 * np.pi * 0.7 * np.arange(48_000) / 16_000))
    phase = 2 * np.pi * np.cumsum(f0) / 16_000
    formants = lambda f: sum(1 / (1 + ((f - centre) / width) ** 2) for centre, width in ((600, 120), (1_200, 150), (2_600, 250)))  # noqa: E731
    sound = 0.02 * sum(np.sin(k * phase) * formants(k * f0) for k in range(1, 20)) + rng.normal(0, 1e-3, 48_000)
    sound = sound.astype(np.float32)
    reference, voiced, _ = librosa.pyin(sound, fmin=50, fmax=600, sr=16_000, frame_length=1_024, hop_length=HOP, center=False)
    mine = np.array([h.f0_hz for h in track(sound)])
    # pyin's frame k is centred on sample 320 k + 512; the tracker's step j on sample 320 j.
    shifted = np.interp(np.arange(len(reference)) * HOP + 512, np.arange(len(mine)) * HOP, mine)
    both = voiced & (shifted > 0)
    assert both.mean() > 0.8
    assert np.mean(np.abs(shifted[both] / reference[both] - 1) > 0.2) <= 0.05
