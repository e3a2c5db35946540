"""Pitch against signals whose pitch is known."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.emotion import pitch


def pulses(f0: float, n: int = pitch.BLOCK) -> torch.Tensor:
    """A voice-like sound: harmonics that fall off by 6 dB an octave."""
    t = torch.arange(n) / pitch.SAMPLE_RATE
    harmonics = [torch.sin(2 * torch.pi * k * f0 * t + k) / k for k in range(1, int(4_000 / f0) + 1)]
    return torch.stack(harmonics).sum(0).float() * 0.1


@settings(deadline=None)
@given(st.floats(60.0, 550.0))
def test_finds_the_pitch_of_a_harmonic_sound(f0: float) -> None:
    found = pitch.estimate(pitch.spectrum(pulses(f0)))
    assert float(found.f0) == pytest.approx(f0, rel=0.03)
    assert float(found.strength) > 0.8


def test_noise_and_digital_zero_are_unvoiced() -> None:
    noise = torch.randn(200, pitch.BLOCK, generator=torch.Generator().manual_seed(0))
    assert float(pitch.estimate(pitch.spectrum(noise)).strength.quantile(0.9)) < 0.5
    assert float(pitch.estimate(pitch.spectrum(torch.zeros(pitch.BLOCK))).strength) == 0.0


def test_level_does_not_matter() -> None:
    loud, quiet = (pitch.estimate(pitch.spectrum(gain * pulses(180.0))) for gain in (1.0, 0.003))
    assert float(loud.f0) == pytest.approx(float(quiet.f0), rel=1e-3)
    assert float(loud.strength) == pytest.approx(float(quiet.strength), abs=0.02)


def test_missing_fundamental_is_heard() -> None:
    t = torch.arange(pitch.BLOCK) / pitch.SAMPLE_RATE
    sound = torch.stack([torch.sin(2 * torch.pi * k * 150.0 * t) for k in range(3, 9)]).sum(0)
    assert float(pitch.estimate(pitch.spectrum(sound)).f0) == pytest.approx(150.0, rel=0.03)
