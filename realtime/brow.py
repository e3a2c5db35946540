"""The fast lane's second part: a voice that rises lifts the brows, as speakers do (Cavé et al., ICSLP 1996)."""

from typing import Final

import numpy as np

from realtime.spring import Spring
from realtime.values import Prosody

USUAL_OVER: Final = 8.0
"""Seconds of voiced sound over which the voice's usual pitch is taken."""
BEGINS: Final = 2.0
"""Semitones above the usual pitch from which the brows rise."""
HIGHEST: Final = 9.0
"""Semitones above the usual pitch at which they are up."""
UP_IN: Final = 0.12
"""Seconds to 90 % up."""
DOWN_IN: Final = 0.35
"""Seconds to 90 % down again."""
EVERY: Final = 0.02
"""Seconds that one `Prosody` speaks of."""


class Brow:
    """Lift 0...1 from the pitch's distance to what is usual for this voice, in semitones; nothing before a second of voice."""

    def __init__(self) -> None:
        self._spring = Spring(np.zeros(1))
        self._usual = 0.0  # semitones above 1 Hz
        self._voiced = 0.0  # seconds of voice heard so far

    def feel(self, prosody: Prosody) -> None:
        """Take the newest 20 ms."""
        if prosody.f0_hz <= 0:
            self._aim(prosody.t, 0.0)
            return
        semitones = 12 * float(np.log2(prosody.f0_hz))
        self._voiced = min(self._voiced + EVERY, USUAL_OVER)
        self._usual += (semitones - self._usual) * EVERY / self._voiced
        above = semitones - self._usual
        lift = float(np.clip((above - BEGINS) / (HIGHEST - BEGINS), 0, 1))
        self._aim(prosody.t, lift if self._voiced >= 1.0 else 0.0)

    def rest(self, t: float) -> None:
        """Nothing is heard any more from time `t` on."""
        self._aim(t, 0.0)

    def at(self, t: float) -> float:
        """Lift at time `t`."""
        return float(np.clip(self._spring.at(t)[0], 0, 1))

    def _aim(self, t: float, lift: float) -> None:
        self._spring.aim(t, np.array([lift]), UP_IN if lift > self.at(t) else DOWN_IN)
