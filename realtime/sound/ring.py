"""Ring buffer between a sound source and all who listen: one writer, readers with their own cursors, a time for every sample."""

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

ANCHOR_SECONDS: Final = 5.0
"""Of sound, over which the earliest arrival is looked for, so that drift between clocks is followed."""
RECENT_SECONDS: Final = 0.4
"""Of sound: bursts are over by then, so if all of it was late ..."""
HOLE: Final = 0.1
"""... by more than this (seconds), then sound is missing before it, and earlier arrivals say nothing of it."""


class Ring:
    """The last `seconds` of sound, float32 (capacity, channels) at `rate` Hz.

    The writer never waits: a reader that falls behind by more than the capacity loses the oldest samples, which its `Cursor`
    counts. Written for one writer thread, which says what it will overwrite before it does, and what it wrote after it has: so
    readers need no lock.

    A sample's time is its number over the rate plus an anchor: the smallest (arrival - length so far) of the last blocks.
    Blocks may come late or in bursts, never early, so the smallest is nearest to the truth, until a device loses sound.
    PortAudio's own capture times were seen to be off by half a second in the first seconds after opening.
    """

    def __init__(self, rate: int, channels: int, seconds: float = 10.0) -> None:
        self.rate = rate
        self.channels = channels
        self.capacity = int(rate * seconds)
        self.written = 0
        """Samples (per channel) ever written."""
        self._claimed = 0  # samples written or being written: what lies a capacity before is, or may be, no more
        self._samples: NDArray[np.float32] = np.zeros((self.capacity, channels), np.float32)
        self._arrivals: deque[tuple[int, float]] = deque()  # samples up to a block's end, its anchor; none later than the next
        self._anchor = 0.0

    def write(self, block: NDArray[np.float32], arrived: float) -> None:
        """Append `block` (n, channels); `arrived` is the clock's time at which its last sample was at hand."""
        n = len(block)
        if n > self.capacity:
            raise ValueError(f"a block of {n} samples does not fit a ring of {self.capacity}")
        self._claimed = self.written + n
        start = self.written % self.capacity
        first = min(n, self.capacity - start)
        self._samples[start : start + first] = block[:first]
        self._samples[: n - first] = block[first:]
        self._anchor = self._anchored(self.written + n, arrived)
        self.written += n

    def restart_time(self) -> None:
        """Forget the anchor: the samples that follow come from a source that was opened anew."""
        self._arrivals.clear()

    def time_of(self, index: int) -> float:
        """The clock's time at which sample number `index` was captured, seconds."""
        return self._anchor + index / self.rate

    def cursor(self) -> "Cursor":
        """A reader that starts with the next sample to be written."""
        return Cursor(self)

    def _anchored(self, end: int, arrived: float) -> float:
        """The anchor, now that the block which ends with sample `end` has arrived."""
        arrivals, anchor = self._arrivals, arrived - end / self.rate
        # The smallest of a window that moves on: what is larger than a newer one never is it. A device's callback waits for this.
        while arrivals and arrivals[-1][1] >= anchor:
            arrivals.pop()
        arrivals.append((end, anchor))
        while arrivals[0][0] < end - ANCHOR_SECONDS * self.rate:
            arrivals.popleft()
        recent = anchor
        for until, earlier in reversed(arrivals):
            if until <= end - RECENT_SECONDS * self.rate:
                break
            recent = earlier
        if recent - arrivals[0][1] > HOLE:
            while arrivals[0][1] < recent:
                arrivals.popleft()
        return arrivals[0][1]

    def _copy(self, begin: int, end: int) -> NDArray[np.float32]:
        start, n = begin % self.capacity, end - begin
        first = min(n, self.capacity - start)
        return np.concatenate([self._samples[start : start + first], self._samples[: n - first]])


class Cursor:
    """One reader's place in a ring."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self.position = ring.written
        """Number of the next sample to be read."""
        self.lost = 0
        """Samples that were never read: overwritten before, or skipped."""

    @property
    def waiting(self) -> int:
        """Samples to be read."""
        return self._ring.written - self.position

    def skip_to_newest(self, most: int, keep: int) -> None:
        """If more than `most` samples wait, all but the newest `keep` of them are lost."""
        newest = self._ring.written
        if newest - self.position > most:
            self.lost += newest - keep - self.position
            self.position = newest - keep

    def read(self, most: int | None = None) -> NDArray[np.float32]:
        """Everything new, or the oldest `most` samples of it, (n, channels), n ≥ 0; `position` moves behind it."""
        ring = self._ring
        while True:
            end = ring.written
            begin = max(self.position, ring._claimed - ring.capacity)
            if most is not None:
                end = min(end, begin + most)
            samples = ring._copy(begin, max(begin, end))
            # The writer may have gone round while this copied: then the oldest samples are not what they were.
            if ring._claimed - begin <= ring.capacity:
                self.lost += begin - self.position
                self.position = max(begin, end)
                return samples
