"""A critically damped spring in real time: the same curve at 10 and at 120 frames a second.

Between two targets the motion has a closed form, so asking for a position never changes anything and no error adds up:
x(t) = target + (e + (v + w e) t) exp(-w t) with e = x0 - target (the double root of x'' = w^2 (target - x) - 2 w x').
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

SETTLED_AT: Final = 3.8897
"""w t at which a critically damped spring has covered 90 % of the way: the root of (1 + x) exp(-x) = 0.1."""

AT_ONCE: Final = 1e-4
"""Seconds below which nobody sees a movement, and the numbers would overflow."""


class Spring:
    """Moves `n` numbers towards a target; all share one speed, so numbers whose targets add up to 1 always do."""

    def __init__(self, start: NDArray[np.float64]) -> None:
        self._x = start.copy()
        self._v = np.zeros_like(start)
        self._target = start.copy()
        self._omega = math.inf
        self._t = -math.inf

    def aim(self, t: float, target: NDArray[np.float64], seconds: float) -> None:
        """From time `t` on go to `target`, 90 % of the way in `seconds` (0: at once). Times never run backwards."""
        self._x, self._v = self._state(t)
        self._t, self._target = t, target.copy()
        self._omega = SETTLED_AT / seconds if seconds > AT_ONCE else math.inf

    def at(self, t: float) -> NDArray[np.float64]:
        """Position at time `t`, not before the last `aim`."""
        return self._state(t)[0]

    def _state(self, t: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if math.isinf(self._omega):
            return self._target.copy(), np.zeros_like(self._v)
        dt = max(0.0, t - self._t)
        error, decay = self._x - self._target, math.exp(-self._omega * dt)
        push = self._v + self._omega * error
        return self._target + (error + push * dt) * decay, (self._v - self._omega * push * dt) * decay
