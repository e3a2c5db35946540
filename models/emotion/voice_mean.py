"""What a voice sounds like on average, so that a deep or bright voice is not taken for a mood.

Subtracting the speaker's own mean is worth more than any network (docs/emotion.md). But the mean of a minute of anger
would make anger the norm, so the running mean is guarded: it starts to count after some seconds of speech, moves with
a long time constant, and moves slowly while the verdicts are one-sided.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.emotion.front_end import HOP_LENGTH, N_FEATURES, SAMPLE_RATE, VOICED, VOICED_ONLY
from models.labels import EMOTIONS, NEUTRAL

Floats = NDArray[np.float32]

FRAMES_PER_SECOND: Final = SAMPLE_RATE / HOP_LENGTH
PRIOR_SECONDS: Final = 6.0  # of speech that the mean of all voices weighs
_FIRST_SECONDS: Final = 2.0  # of speech before the voice counts at all
_MEMORY_SECONDS: Final = 90.0  # of speech that the mean remembers
_VERDICT_SECONDS: Final = 12.0  # of speech over which verdicts are looked at
_ONE_SIDED: Final = 0.55  # share of one emotion (not neutral) from which adaptation slows ...
_STUCK: Final = 0.85  # ... and at which it has nearly stopped


def sums(features: Floats, speech: Floats) -> tuple[Floats, Floats]:
    """Features (T, N_FEATURES) of `FrontEnd.network_input`, mask (T,) -> sum and count per feature (N_FEATURES,), float32.

    Features that need a vibrating voice count in voiced frames only."""
    weight = np.repeat(speech[:, None], N_FEATURES, axis=1).astype(np.float32)
    weight[:, VOICED_ONLY] *= features[:, VOICED, None]
    return (features * weight).sum(0), weight.sum(0)


def centre(total: Floats, count: Floats, everyone: Floats) -> tuple[Floats, float]:
    """Sums and counts of a voice, mean of all voices -> (mean to subtract, how well known the voice is: 0..1).

    The more speech was heard, the less the mean of all voices weighs (PRIOR_SECONDS)."""
    prior = PRIOR_SECONDS * FRAMES_PER_SECOND
    heard = float(count.max())
    known = 0.0 if heard < _FIRST_SECONDS * FRAMES_PER_SECOND else heard / (heard + prior)
    own = total / np.maximum(count, 1.0)
    # A pitch is heard in fewer frames than a spectrum: each feature is trusted by its own count.
    trust = known * count / np.maximum(count + 0.1 * prior, 1.0)
    return (everyone + trust * (own - everyone)).astype(np.float32), known


class VoiceMean:
    """The running mean of one voice."""

    def __init__(self, everyone: Floats) -> None:
        """`everyone`: mean of all voices (N_FEATURES,), what is subtracted from a stranger."""
        self._everyone = everyone
        self.reset()

    def reset(self, total: Floats | None = None, count: Floats | None = None) -> None:
        """Forget the voice; or start with one that is known already, by its sum and count (N_FEATURES,)."""
        self._total = np.zeros(N_FEATURES, np.float32) if total is None else total.copy()
        self._count = np.zeros(N_FEATURES, np.float32) if count is None else count.copy()
        self._verdict = np.zeros(len(EMOTIONS), np.float32)
        self._verdict[NEUTRAL] = 1.0

    def add(self, features: Floats, speech: Floats, verdict: Floats) -> None:
        """Newly heard frames (T, N_FEATURES), their mask (T,), and what is heard at present: probabilities (5,)."""
        total, count = sums(features, speech)
        heard = float(count.max())
        if heard == 0.0:
            return
        blend = 1.0 - math.exp(-heard / (_VERDICT_SECONDS * FRAMES_PER_SECOND))
        self._verdict += blend * (verdict - self._verdict)
        rate = self._rate()
        # Forgetting in speech time: the sums never exceed the memory's length, so the newest always counts a little.
        keep = math.exp(-rate * heard / (_MEMORY_SECONDS * FRAMES_PER_SECOND))
        self._total = keep * self._total + rate * total
        self._count = keep * self._count + rate * count

    def _rate(self) -> float:
        """1 while the emotions vary or are neutral, towards 0.05 while one of the others fills the last seconds."""
        one_sided = float(np.delete(self._verdict, NEUTRAL).max())
        return float(np.clip((_STUCK - one_sided) / (_STUCK - _ONE_SIDED), 0.05, 1.0))

    def centre(self) -> tuple[Floats, float]:
        """What to subtract (N_FEATURES,) and how well the voice is known, 0..1; see `centre`."""
        return centre(self._total, self._count, self._everyone)
