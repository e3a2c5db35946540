"""The show's one clock: seconds since the show began, monotonic; a virtual one for offline work and tests."""

import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the show began."""
        ...


class MonotonicClock:
    """Real time, starting at 0 when made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def now(self) -> float:
        return time.perf_counter() - self._start


class VirtualClock:
    """Time that moves only when it is told to."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def set(self, t: float) -> None:
        """Move to `t` seconds; time never runs backwards."""
        if t < self._now:
            raise ValueError(f"time runs forwards: now {self._now}, asked for {t}")
        self._now = t
