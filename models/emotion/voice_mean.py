"""What a voice sounds like on average, so that a deep or bright voice is not taken for a mood.

Subtracting the speaker's own mean is worth more than any network (docs/emotion.md). But the mean of a minute of anger
would make anger the norm. So from every vector the shift that the heard emotion usually makes is taken first: what is left is
the voice, whatever mood it was in. The mean starts to count after some seconds of speech and moves with a long time constant.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.emotion.embedding import N_EMBEDDING
from models.emotion.front_end import HOP_LENGTH, SAMPLE_RATE

Floats = NDArray[np.float32]

FRAMES_PER_SECOND: Final = SAMPLE_RATE / HOP_LENGTH
PRIOR_SECONDS: Final = 6.0  # of speech that the mean of all voices weighs
_FIRST_SECONDS: Final = 2.0  # of speech before the voice counts at all
_MEMORY_SECONDS: Final = 90.0  # of speech that the mean remembers


def centre(total: Floats, count: float, everyone: Floats) -> tuple[Floats, float]:
    """Sum of a voice's vectors (N_EMBEDDING,), each times the frames of speech it stands for; sum of those frames; mean of all
    voices -> (mean to subtract, how well known the voice is: 0..1).

    The more speech was heard, the less the mean of all voices weighs (PRIOR_SECONDS)."""
    known = 0.0 if count < _FIRST_SECONDS * FRAMES_PER_SECOND else count / (count + PRIOR_SECONDS * FRAMES_PER_SECOND)
    own = total / max(count, 1.0)
    return (everyone + known * (own - everyone)).astype(np.float32), known


class VoiceMean:
    """The running mean of one voice."""

    def __init__(self, everyone: Floats, shifts: Floats) -> None:
        """`everyone`: mean of all voices (N_EMBEDDING,), what is subtracted from a stranger. `shifts` (5, N_EMBEDDING): how far
        each emotion moves a voice's vectors away from its mean."""
        self._everyone, self._shifts = everyone, shifts
        self.reset()

    def reset(self, total: Floats | None = None, count: float = 0.0) -> None:
        """Forget the voice; or start with one that is known already, by its sum (N_EMBEDDING,) and count of frames."""
        self._total = np.zeros(N_EMBEDDING, np.float32) if total is None else total.copy()
        self._count = count

    def add(self, embedding: Floats, heard: float, verdict: Floats) -> None:
        """The newest window (N_EMBEDDING,), how many frames of speech were new in it, and what is heard: probabilities (5,)."""
        if heard == 0.0:
            return
        # Forgetting in speech time: the sums never exceed the memory's length, so the newest always counts a little.
        keep = math.exp(-heard / (_MEMORY_SECONDS * FRAMES_PER_SECOND))
        self._total = (keep * self._total + heard * (embedding - verdict @ self._shifts)).astype(np.float32)
        self._count = keep * self._count + heard

    def centre(self) -> tuple[Floats, float]:
        """What to subtract (N_EMBEDDING,) and how well the voice is known, 0..1; see `centre`."""
        return centre(self._total, self._count, self._everyone)
