"""Fundamental frequency and voicing of short blocks of speech, by normalised autocorrelation.

P. Boersma: Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a sampled
sound (IFA Proceedings 17, 1993): the autocorrelation of a windowed block divided by that of its window peaks at 1.0
at the period of a perfectly periodic sound, so the height of the peak is a measure of voicing.
"""

from typing import Final, NamedTuple

import torch
from torch import Tensor

SAMPLE_RATE: Final = 16_000
BLOCK: Final = 640  # samples, 40 ms: two periods of the lowest pitch
F0_MIN: Final = 50.0  # Hz
F0_MAX: Final = 600.0  # Hz
N_FFT: Final = 1024  # BLOCK + the longest lag, rounded up: the circular autocorrelation does not wrap
BIN_HZ: Final = SAMPLE_RATE / N_FFT

_LAG_MIN: Final = int(SAMPLE_RATE / F0_MAX)
_LAG_MAX: Final = int(SAMPLE_RATE / F0_MIN)
# Above this, noise and single strong overtones shape the autocorrelation more than the period does.
_BAND_HZ: Final = 2_000.0
# A period of two cycles matches as well as one: each octave down has to be this much better.
_OCTAVE_COST: Final = 0.13
# Between blocks 20 ms apart a voice seldom leaps: each octave of change has to be this much better.
_JUMP_COST: Final = 0.3
# Power per sample (full scale 1) that keeps digital zero unvoiced: 16-bit rounding noise.
_POWER_FLOOR: Final = 1e-10

_WINDOW: Final = torch.hann_window(BLOCK)
_BAND: Final = (1.0 / (1.0 + (torch.arange(N_FFT // 2 + 1) * BIN_HZ / _BAND_HZ) ** 4)).float()


def _autocorrelation_of_window() -> Tensor:
    spectrum = torch.fft.rfft(_WINDOW, n=N_FFT).abs().square()
    lags = torch.fft.irfft(spectrum, n=N_FFT)[: _LAG_MAX + 2]
    normalised: Tensor = lags / lags[0]
    return normalised


_WINDOW_LAGS: Final = _autocorrelation_of_window()


class Pitch(NamedTuple):
    """`f0`: Hz in F0_MIN..F0_MAX, the best guess even where unvoiced; `strength`: 0 (noise) .. 1 (perfectly periodic)."""

    f0: Tensor
    strength: Tensor


def spectrum(blocks: Tensor) -> Tensor:
    """Power spectrum (..., N_FFT // 2 + 1) of blocks (..., BLOCK) with their mean removed, Hann window."""
    centred = blocks - blocks.mean(-1, keepdim=True)
    power: Tensor = torch.fft.rfft(centred * _WINDOW, n=N_FFT).abs().square()
    return power


def estimate(power: Tensor, previous_f0: float = 0.0) -> Pitch:
    """Pitch from power spectra (..., N_FFT // 2 + 1) of `spectrum`; both results have shape (...).

    `previous_f0` (Hz, 0 = unknown) makes a leap of an octave less likely; give it for blocks that follow each other.
    """
    lags = torch.fft.irfft(power * _BAND, n=N_FFT)[..., : _LAG_MAX + 2]
    floor = _POWER_FLOOR * BLOCK
    periodicity = lags / (lags[..., :1] + floor) / _WINDOW_LAGS
    centre = periodicity[..., _LAG_MIN:-1]
    before, after = periodicity[..., _LAG_MIN - 1 : -2], periodicity[..., _LAG_MIN + 1 :]
    candidates = torch.arange(_LAG_MIN, _LAG_MAX + 1, dtype=torch.float32)
    cost = _OCTAVE_COST * torch.log2(candidates / _LAG_MIN)
    if previous_f0 > 0:
        cost = cost + _JUMP_COST * torch.log2(candidates * previous_f0 / SAMPLE_RATE).abs()
    is_peak = (centre > before) & (centre >= after)
    score = torch.where(is_peak, centre - cost, torch.full_like(centre, -1.0))
    best = score.argmax(-1, keepdim=True)
    left, middle, right = (part.gather(-1, best)[..., 0] for part in (before, centre, after))
    # The peak of the parabola through the three points: a lag between samples.
    bend = (left - 2 * middle + right).clamp(max=-1e-9)
    shift = (0.5 * (left - right) / bend).clamp(-0.5, 0.5)
    f0 = SAMPLE_RATE / (candidates[best[..., 0]] + shift)
    strength = torch.where(is_peak.any(-1), middle - 0.25 * (left - right) * shift, torch.zeros_like(middle))
    return Pitch(f0.clamp(F0_MIN, F0_MAX), strength.clamp(0.0, 1.0))
