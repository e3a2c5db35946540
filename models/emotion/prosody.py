"""Loudness, pitch, voicing and speech rate every 20 ms, for what has to move at once with the voice."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.emotion import pitch
from models.emotion.syllables import SyllableRate, vowel_level_db

HOP: Final = 320  # samples at 16 kHz: 20 ms
LEVEL_MIN_DB: Final = -100.0
# Voicing probability is logistic in the autocorrelation's peak: even odds here, and this steep.
_EVEN_STRENGTH: Final = 0.55
_STEEPNESS: Final = 18.0
# Below this level a period is hum or rounding, not a voice.
_AUDIBLE_DB: Final = -65.0


@dataclass(frozen=True)
class Prosody:
    """`level_db`: RMS of the newest 20 ms, dB full scale, at least -100; `f0_hz`: 0 if unvoiced; `voiced`: probability 0..1;
    `rate`: syllables per second over the last 3 s."""

    level_db: float
    f0_hz: float
    voiced: float
    rate: float


class ProsodyTracker:
    """Turns 16 kHz mono into one `Prosody` per 20 ms; remembers one block of sound, the last pitch, and the syllables."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the sound so far."""
        self._block = np.zeros(pitch.BLOCK, np.float32)
        self._last_f0 = 0.0
        self._syllables = SyllableRate(HOP / pitch.SAMPLE_RATE)

    def step(self, samples: NDArray[np.float32]) -> Prosody:
        """Samples: float32 (320,), full scale 1. The pitch is that of the newest 40 ms."""
        if samples.shape != (HOP,):
            raise ValueError(f"expected {HOP} samples (20 ms at 16 kHz), got an array of shape {samples.shape}")
        self._block = np.concatenate([self._block[HOP:], np.nan_to_num(samples.astype(np.float32))])
        rms = math.sqrt(float(np.mean(np.square(self._block[-HOP:], dtype=np.float64))))
        level_db = max(LEVEL_MIN_DB, 20.0 * math.log10(max(rms, 1e-9)))
        power = pitch.spectrum(torch.from_numpy(self._block))
        found = pitch.estimate(power, self._last_f0)
        voiced = 1.0 / (1.0 + math.exp(-_STEEPNESS * (float(found.strength) - _EVEN_STRENGTH)))
        if level_db < _AUDIBLE_DB:
            voiced = 0.0
        self._last_f0 = float(found.f0) if voiced >= 0.5 else 0.0
        return Prosody(level_db, self._last_f0, voiced, self._syllables.step(vowel_level_db(power), voiced))
