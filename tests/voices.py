"""Real-sounding speech for tests: the bundled voice at 16 kHz."""

import wave
from functools import cache
from pathlib import Path
from typing import Final

import av
import numpy as np

from realtime.sound import file

DEMO_VOICE: Final[Path] = file.DEMO_VOICE


@cache
def demo_voice() -> np.ndarray:
    """The whole of it, float32 (n,)."""
    with av.open(str(DEMO_VOICE)) as container:
        resampler = av.AudioResampler("fltp", "mono", 16_000)
        parts = [p.to_ndarray()[0] for frame in container.decode(audio=0) for p in resampler.resample(frame)]
    return np.concatenate(parts).astype(np.float32)


TURNS: Final = ((1.0, 3.6), (5.0, 8.6), (9.7, 12.9), (14.8, 17.3), (20.5, 24.2))
"""Seconds from and to between which it speaks without a long pause."""


def turn(number: int) -> np.ndarray:
    """One of its turns."""
    begin, end = TURNS[number]
    return demo_voice()[int(begin * 16_000) : int(end * 16_000)]


def write_wav(path: Path, sound: np.ndarray) -> Path:
    """16 kHz, mono, 16 bits."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes())
    return path
