"""Events per second over the last second."""

from collections import deque


class Rate:
    """Call `tick` at each event."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def tick(self, t: float) -> None:
        """An event at time `t`, seconds."""
        self._times.append(t)
        self._forget(t)

    def at(self, t: float) -> float:
        """Events in the second before `t`."""
        self._forget(t)
        return float(len(self._times))

    def _forget(self, t: float) -> None:
        while self._times and self._times[0] <= t - 1:
            self._times.popleft()
