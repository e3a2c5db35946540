"""A network of the user's own that may take longer than a hop of 100 ms: mouth, brows and voice activity do not wait for it."""

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from models.emotion.hearing import Hearing, hearing, nothing_heard
from models.emotion.own_classifier import OwnClassifier, hearing_of
from models.labels import EMOTIONS

Floats = NDArray[np.float32]


class PatientListener:
    """Hears by an `OwnClassifier` as fast as that can: every hop has the newest verdict there is, of sound that may be older."""

    def __init__(self, classifier: OwnClassifier) -> None:
        self._classifier = classifier
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="classifier")
        self._coming: Future[Floats] | None = None
        self._heard: Floats | None = None
        self._outdated = False  # what is coming, since a silence lies between

    def step(self, samples: Floats) -> Hearing:
        """As `OwnClassifier.step`. Raises what the network raised."""
        spoken = self._classifier.take(samples)
        if self._coming is not None and self._coming.done():
            answer, self._coming = self._coming.result(), None
            self._heard = None if self._outdated else answer
        if spoken.counts == 0.0:
            self._heard, self._outdated = None, True  # what was said before says nothing of what comes
            return nothing_heard()
        if self._coming is None:
            self._coming = self._beside.submit(self._classifier.probabilities, self._classifier.sound)
            self._outdated = False
        if self._heard is None:  # somebody speaks, of whom nothing is known yet
            return hearing(np.full(len(EMOTIONS), 1 / len(EMOTIONS), np.float32), 0.0, spoken.silence, 0.0)
        return hearing_of(self._heard, spoken)
