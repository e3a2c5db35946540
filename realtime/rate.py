"""Events per second over the last second."""

import threading
from collections import deque


class Rate:
    """Call `tick` at each event; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: deque[float] = deque()

    def tick(self, t: float) -> None:
        """An event at time `t`, seconds."""
        with self._lock:
            self._times.append(t)
            self._forget(t)

    def at(self, t: float) -> float:
        """Events in the second before `t`."""
        with self._lock:
            self._forget(t)
            return float(len(self._times))

    def _forget(self, t: float) -> None:
        while self._times and self._times[0] <= t - 1:
            self._times.popleft()
