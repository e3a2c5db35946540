"""The stage between hearing and drawing: what was heard becomes what the face is told, as a smooth function of time."""

import threading
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.expression.idle_life import idle
from models.labels import EMOTIONS, NEUTRAL
from realtime.brow import Brow
from realtime.mouth import Mouth
from realtime.settings import Expression
from realtime.spring import Spring
from realtime.values import Controls, Heard, Prosody

SHARPNESS: Final = 3.75
"""Exponent on the heard probabilities: a face that shows every doubt shows nothing."""
SURE: Final = 0.135
"""Confidence from which an emotion is shown whole; below, in proportion."""
SOFTEST: Final = 0.5
"""Share of an emotion that is shown where it is expressed as weakly as can be heard; from the middle of the scale on, all.
Actors' normal intensity is heard as about 0.2, their strong one as 0.6: seven tenths are shown, and all."""
EXCITED_SHOWN: Final = 0.5
"""Share by which a wholly unsure emotion is shown more in an excited voice, less in a calm one: that is heard far more surely."""
EXCITED_MOUTH: Final = 0.25
"""The same of how far the mouth opens, where the emotion is wholly unsure."""
EXCITED_BROW: Final = 0.35
"""How far an excited voice lifts the brows then; a calm one leaves them."""
DEAF_AFTER: Final = 0.5
"""Seconds without any sound, not even silence, after which the face rests: the microphone is gone."""
REST: Final = np.eye(len(EMOTIONS))[NEUTRAL]


class Express:
    """Two lanes: the emotion moves over a second, mouth and brows within a block of sound. Where the emotion is unsure, the face
    has the voice's arousal instead of a guess: an excited one lifts the brows and opens the mouth further.

    `hear` and `feel` come from the listener's thread, `step` from the renderer's. Targets change at the times the values
    speak of, never at the times of frames, so any frame rate sees the same motion.
    """

    def __init__(self, settings: Expression) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._emotion, self._excited = Spring(REST), Spring(np.zeros(1))
        self._mouth, self._brow = Mouth(), Brow()
        self._heard: Heard | None = None
        self._prosody: Prosody | None = None
        self._last_voice: float | None = None
        self._resting = True
        self._onset = False

    def hear(self, heard: Heard) -> None:
        """The newest verdict on the emotion."""
        with self._lock:
            self._onset |= heard.speaking and not (self._heard is not None and self._heard.speaking)
            self._heard = heard
            self._mouth.speaking(heard.speaking)
            if heard.speaking:
                self._last_voice, self._resting = heard.t, False
                self._emotion.aim(heard.t, emotion_target(heard), self._settings.attack)
                self._excited.aim(heard.t, np.array([excitement(heard)]), self._settings.attack)
            elif self._last_voice is not None and heard.t - self._last_voice >= self._settings.hold:
                self._rest(heard.t)

    def feel(self, prosody: Prosody) -> None:
        """The newest 20 ms of level, pitch and voicing."""
        with self._lock:
            self._prosody = prosody
            self._mouth.feel(prosody)
            self._brow.feel(prosody)

    def step(self, t: float) -> Controls:
        """What the face is told at time `t`; times never run backwards."""
        with self._lock:
            if self._prosody is not None and t - self._prosody.t > DEAF_AFTER:
                self._mouth.rest(self._prosody.t + DEAF_AFTER)
                self._brow.rest(self._prosody.t + DEAF_AFTER)
                self._rest(self._prosody.t + DEAF_AFTER)
                self._heard = self._prosody = None
            emotion = self._emotion.at(t).clip(0, 1)
            rig = {name: self._settings.life * value for name, value in idle(t, self._settings.seed).items()}
            excited = float(self._excited.at(t)[0].clip(-1, 1))
            rig["mouth_open"] = self._settings.mouth * self._mouth.at(t) * (1 + EXCITED_MOUTH * excited)
            rig["brow_up"] = self._settings.mouth * (self._brow.at(t) + EXCITED_BROW * max(0.0, excited))
            onset, self._onset = self._onset, False
            return Controls(
                t,
                (emotion / emotion.sum()).astype(np.float32),
                self._settings.strength,
                {name: float(np.clip(value, -1, 1)) for name, value in rig.items()},
                self._heard,
                self._prosody,
                onset,
            )

    def _rest(self, t: float) -> None:
        if not self._resting:
            self._resting = True
            self._emotion.aim(t, REST, self._settings.release)
            self._excited.aim(t, np.zeros(1), self._settings.release)


def emotion_target(heard: Heard) -> NDArray[np.float64]:
    """(5,) sums to 1: the heard probabilities sharpened; what is uncertain or weakly expressed is shown weakly, near neutral,
    though rather in an excited voice than in a calm one."""
    sharp = heard.probabilities.astype(np.float64) ** SHARPNESS
    sharp /= sharp.sum()
    sure = min(1.0, heard.confidence / SURE) * (1 + EXCITED_SHOWN * excitement(heard))
    amount = sure * min(1.0, SOFTEST + 2 * (1 - SOFTEST) * heard.intensity)
    target: NDArray[np.float64] = amount * sharp + (1 - amount) * REST
    return target


def excitement(heard: Heard) -> float:
    """-1 (calm) to 1 (excited), as far as the emotion is unsure: what else the face then has of the voice."""
    return heard.arousal * max(0.0, 1 - heard.confidence / SURE)
