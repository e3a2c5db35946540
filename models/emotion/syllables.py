"""How fast somebody speaks: syllables counted by their nuclei, without knowing the words.

After N. H. de Jong, T. Wempe: Praat script to detect syllable nuclei and measure speech rate automatically (Behavior Research
Methods 41, 2009): a nucleus is a peak of loudness between two dips, not much softer than the voice around it, and voiced. Here
the loudness is that of the band where vowels are, and nothing that comes later is waited for but the dip.
"""

from collections import deque
from typing import Final

import torch
from torch import Tensor

from models.emotion import pitch

SECONDS: Final = 3.0
"""What the rate is counted over."""

# Found on 232 clips of half the speakers of RAVDESS, nEMO and TurEV, beside the syllables of their texts (docs/emotion.md).
_BAND_HZ: Final = (300.0, 3_000.0)
_RISE_DB: Final = 4.0  # from the last dip, for a peak to begin
_DIP_DB: Final = 3.0  # below a peak, for it to have been one
_RANGE_DB: Final = 20.0  # below the loudest lately a peak is an echo or a breath
_FORGET_DB: Final = 5.0  # a second, of the loudest
_VOICED: Final = 0.5
_FLOOR: Final = 1e-10  # of power per sample: 16-bit rounding noise

_BINS: Final = slice(round(_BAND_HZ[0] / pitch.BIN_HZ), round(_BAND_HZ[1] / pitch.BIN_HZ))


def vowel_level_db(power: Tensor) -> float:
    """Level in the band of vowels, dB, of a power spectrum of `pitch.spectrum` (N_FFT // 2 + 1,)."""
    mean_square = power[_BINS].sum() / (pitch.BLOCK * pitch.N_FFT / 2)
    return float(10.0 * torch.log10(mean_square + _FLOOR))


class SyllableRate:
    """Counts nuclei as they pass."""

    def __init__(self, hop_seconds: float) -> None:
        """`hop_seconds` lie between two steps."""
        self._hop = hop_seconds
        self.reset()

    def reset(self) -> None:
        """Nothing was said yet."""
        self._nuclei: deque[bool] = deque(maxlen=round(SECONDS / self._hop))
        self._before = self._dip = self._peak = self._loudest = vowel_level_db(torch.zeros(pitch.N_FFT // 2 + 1))
        self._rising, self._voiced = False, 0.0

    def step(self, level_db: float, voiced: float) -> float:
        """`vowel_level_db` and probability of voicing of the newest block -> syllables per second over the last `SECONDS`."""
        level, self._before = (level_db + self._before) / 2, level_db
        self._loudest = max(self._loudest - _FORGET_DB * self._hop, level)
        self._nuclei.append(self._nucleus(level, voiced))
        return sum(self._nuclei) / SECONDS

    def _nucleus(self, level: float, voiced: float) -> bool:
        """Whether this dip ends one."""
        if not self._rising:
            self._dip = min(self._dip, level)
            if level > self._dip + _RISE_DB:
                self._rising, self._peak, self._voiced = True, level, voiced
            return False
        self._peak, self._voiced = max(self._peak, level), max(self._voiced, voiced)
        if level >= self._peak - _DIP_DB:
            return False
        self._rising, self._dip = False, level
        return self._voiced >= _VOICED and self._peak > self._loudest - _RANGE_DB
