"""What is heard, whoever hears it: the value that leaves a classifier, and how much of it counts where little is said.

Where nobody speaks there is no emotion: what was heard relaxes to neutral.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.labels import EMOTIONS, NEUTRAL

Floats = NDArray[np.float32]

# Where the emotions lie on the two axes of affect (J. Russell: A circumplex model of affect, 1980): the excited against
# the calm ones, and how pleasant each is.
EXCITED: Final = (1.0, 0.0, 1.0, 1.0, 0.0)
PLEASANT: Final = np.array([-0.7, 0.0, -0.7, 0.9, -0.7], np.float32)

_NEUTRAL_ONLY: Final = np.eye(len(EMOTIONS), dtype=np.float32)[NEUTRAL]
_ENOUGH_SPEECH: Final = 0.4  # seconds from which a verdict counts fully; below, in proportion
LEAST_SPEECH: Final = 0.15  # seconds below which there is no verdict
_HOLD: Final = 0.8  # seconds of silence before the verdict fades ...
_FADE: Final = 1.2  # ... and how long that takes
_SPEAKING: Final = 0.15  # newest seconds that decide whether somebody speaks now


@dataclass(frozen=True)
class Hearing:
    """What is heard: `probabilities` float32 (5,) in the order of EMOTIONS, sum 1; `confidence` 0 (no idea, or nobody speaks)
    .. 1; `speaking` now; `arousal` -1 (calm) .. 1 (excited) and `valence` -1 (unpleasant) .. 1 (pleasant), 0 without speech;
    `intensity` 0 .. 1, how strongly the emotion is expressed, 0.5 where that can't be told; `voice`: whose it is more likely
    than not, of those whose profiles are known, or empty."""

    probabilities: Floats
    confidence: float
    speaking: bool
    arousal: float
    valence: float
    intensity: float = 0.5
    voice: str = ""


def nothing_heard() -> Hearing:
    """Nobody speaks."""
    return Hearing(_NEUTRAL_ONLY.copy(), 0.0, False, 0.0, 0.0, 0.5)


def evidence(speech: float, silence: float) -> float:
    """How much a verdict counts, 0..1, that rests on so many seconds of speech, with so many of silence since."""
    if speech < LEAST_SPEECH:
        return 0.0
    return min(1.0, speech / _ENOUGH_SPEECH) * float(np.clip(1.0 - (silence - _HOLD) / _FADE, 0.0, 1.0))


def hearing(heard: Floats, counts: float, silence: float, arousal: float, intensity: float = 0.0, voice: str = "") -> Hearing:
    """From probabilities (5,), how much they count (`evidence`), seconds of silence, logits of arousal and intensity, and whose
    voice it is."""
    probabilities = (1.0 - counts) * _NEUTRAL_ONLY + counts * heard
    probabilities /= probabilities.sum()
    entropy = -float(np.sum(heard * np.log(heard + 1e-9))) / np.log(len(EMOTIONS))
    return Hearing(
        probabilities=probabilities.astype(np.float32),
        confidence=counts * float(np.clip(1.0 - entropy, 0.0, 1.0)),
        speaking=silence < _SPEAKING,
        arousal=counts * math.tanh(arousal / 2.0),
        valence=float(np.clip(probabilities @ PLEASANT, -1.0, 1.0)),
        intensity=0.5 + counts * 0.5 * math.tanh(intensity / 2.0),
        voice=voice,
    )
