"""The listener stage: ring buffer → prosody every 20 ms, emotion every 100 ms.

What comes out depends on the samples alone; in a live show those that come too late are skipped.
"""

from collections.abc import Iterator
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.emotion.classifier import EmotionClassifier
from models.emotion.hearing import Hearing as Verdict
from models.emotion.own_classifier import OwnClassifier
from models.emotion.prosody import Prosody as Measured
from models.emotion.voice_profile import VoiceProfile
from models.errors import UserError
from realtime.patient_listener import PatientListener
from realtime.settings import Hearing
from realtime.sound.resample import LISTENING_RATE, ToListeningRate
from realtime.sound.ring import Ring
from realtime.spring import Spring
from realtime.values import Heard, Prosody

PROSODY_HOP = LISTENING_RATE // 50
"""Samples of 20 ms."""
EMOTION_HOP = EmotionClassifier.HOP
"""Samples of 100 ms."""
LATE: Final = 1.0
"""Seconds of sound that may wait in a live show; a listener that is further behind goes on with the newest."""
_KEPT: Final = 0.1  # seconds of it
GLIDE: Final = 0.1
"""Seconds in which arousal and valence go nine tenths of the way to the newest verdict: until the next one."""


class Classifier(Protocol):
    """What a classifier of emotion offers: `step` takes the next `EMOTION_HOP` samples."""

    def step(self, samples: NDArray[np.float32]) -> Verdict: ...


class Tracker(Protocol):
    """What a tracker of prosody offers: `step` takes the next `PROSODY_HOP` samples."""

    def step(self, samples: NDArray[np.float32]) -> Measured: ...


def open_classifier(settings: Hearing, *, live: bool = False) -> Classifier:
    """The classifier of these settings; in a `live` show nothing waits for somebody else's. Raises `UserError` where weights or
    profiles are missing or do not fit."""
    if settings.classifier is not None:
        if settings.voice_profile:
            raise UserError("a voice profile is made for the listener that comes with the program; leave out --voice-profile")
        own = OwnClassifier(settings.classifier)
        return PatientListener(own) if live else own
    classifier = EmotionClassifier.load()
    classifier.adopt(*map(VoiceProfile.load, settings.voice_profile))
    return classifier


class Listener:
    """Reads what is new in the ring and says what it heard, in order of time."""

    def __init__(self, ring: Ring, classifier: Classifier, tracker: Tracker, gain_db: float = 0.0, *, live: bool = False) -> None:
        """`live`: sound that is too late is skipped; otherwise every sample is listened to that the ring still holds."""
        self._ring, self._cursor, self._live = ring, ring.cursor(), live
        self._resample = ToListeningRate(ring.rate, gain_db)
        self._classifier, self._tracker = classifier, tracker
        self._origin = self._cursor.position
        self._waiting: NDArray[np.float32] = np.zeros(0, np.float32)
        self._hop: list[NDArray[np.float32]] = []
        self._affect = Spring(np.zeros(2))  # arousal and valence
        self._done = 0  # samples at the listening rate that were listened to

    @property
    def lost(self) -> int:
        """Samples that were never listened to: overwritten before they were read, or too late."""
        return self._cursor.lost

    def step(self) -> Iterator[Prosody | Heard]:
        """Listen to everything new."""
        lost = self._cursor.lost
        if self._live:
            self._cursor.skip_to_newest(round(LATE * self._ring.rate), round(_KEPT * self._ring.rate))
        block = self._cursor.read()
        self._origin += self._cursor.lost - lost
        if not len(block):
            return
        self._waiting = np.concatenate([self._waiting, self._resample.step(block)])
        while len(self._waiting) >= PROSODY_HOP:
            samples, self._waiting = self._waiting[:PROSODY_HOP], self._waiting[PROSODY_HOP:]
            yield from self._listen(samples)

    def _listen(self, samples: NDArray[np.float32]) -> Iterator[Prosody | Heard]:
        self._done += PROSODY_HOP
        t = self._ring.time_of(self._origin + round(self._done * self._ring.rate / LISTENING_RATE))
        measured = self._tracker.step(samples)
        arousal, valence = self._affect.at(t).tolist()
        yield Prosody(t, measured.level_db, measured.f0_hz, measured.voiced, measured.rate, arousal, valence)
        self._hop.append(samples)
        if len(self._hop) * PROSODY_HOP == EMOTION_HOP:
            hearing = self._classifier.step(np.concatenate(self._hop))
            self._hop.clear()
            self._affect.aim(t, np.array([hearing.arousal, hearing.valence]), GLIDE)
            yield Heard(
                t,
                hearing.probabilities,
                hearing.confidence,
                hearing.speaking,
                hearing.arousal,
                hearing.valence,
                hearing.intensity,
                hearing.voice,
            )
