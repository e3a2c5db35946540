"""The fast lane: loudness opens the mouth, within the range this voice has in this room."""

from typing import Final

import numpy as np

from realtime.spring import Spring
from realtime.values import Prosody

OPEN_IN: Final = 0.06
"""Seconds to 90 % open: a plosive's length."""
CLOSE_IN: Final = 0.14
"""Seconds to 90 % closed: within a pause between words, but no chattering between syllables."""
ABOVE_FLOOR: Final = 12.0
"""dB above the room's floor at which the mouth begins to open."""
UNCONFIRMED: Final = 0.3
"""Seconds for which a sound moves the mouth before voice activity confirms that it is a voice."""


class Mouth:
    """Opening 0...1 from level and voicing; a sound that is no voice closes it again after `UNCONFIRMED` seconds."""

    def __init__(self) -> None:
        self._range = LevelRange()
        self._spring = Spring(np.zeros(1))
        self._quiet_at: float | None = None
        self._speaking = False

    def speaking(self, speaking: bool) -> None:
        """What voice activity says now."""
        self._speaking = speaking

    def feel(self, prosody: Prosody) -> None:
        """Take the newest 20 ms."""
        loudness = self._range.step(prosody.t, prosody.level_db, self._speaking)
        if loudness <= 0 or self._quiet_at is None:
            self._quiet_at = prosody.t
        is_voice = self._speaking or prosody.t - self._quiet_at < UNCONFIRMED
        # Consonants without voice open the mouth half as far as vowels of the same level.
        self._aim(prosody.t, loudness * (0.5 + 0.5 * prosody.voiced) if is_voice else 0.0)

    def rest(self, t: float) -> None:
        """Nothing is heard any more from time `t` on."""
        self._quiet_at = None  # what comes next is a new sound
        self._aim(t, 0.0)

    def at(self, t: float) -> float:
        """Opening at time `t`."""
        return float(np.clip(self._spring.at(t)[0], 0, 1))

    def _aim(self, t: float, opening: float) -> None:
        self._spring.aim(t, np.array([opening]), OPEN_IN if opening > self.at(t) else CLOSE_IN)


class LevelRange:
    """The level's place between the room's floor and the voice's peaks, both followed in real time.

    The floor follows a quieter sound at once and creeps up otherwise, hardly while somebody speaks: a note that is held is no
    room. The peak the other way round. So microphones of any gain work after the first word.
    """

    RISE: Final = 3.0  # dB/s by which the floor creeps up
    RISE_SPEAKING: Final = 0.3  # the same while a voice sounds: a room that got louder is learnt in the end
    FALL: Final = 3.0  # dB/s by which the peak creeps down
    NARROWEST: Final = 24.0  # dB between floor and peak: less than speech ever has
    LONGEST: Final = 0.1  # s that one step stands for: a hole in the sound says nothing of the room

    def __init__(self) -> None:
        self._floor, self._peak = -65.0, -25.0
        self._t: float | None = None

    def step(self, t: float, level_db: float, speaking: bool) -> float:
        """0 at `ABOVE_FLOOR` dB above the floor and below, 1 at the peak."""
        dt = 0.0 if self._t is None else min(max(0.0, t - self._t), self.LONGEST)
        self._t = t
        self._floor = max(-75.0, min(self._floor + (self.RISE_SPEAKING if speaking else self.RISE) * dt, level_db))
        self._peak = max(self._peak - self.FALL * dt, level_db, self._floor + self.NARROWEST)
        threshold = self._floor + ABOVE_FLOOR
        return float(np.clip((level_db - threshold) / (self._peak - threshold), 0, 1))
