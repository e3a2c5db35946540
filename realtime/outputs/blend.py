"""Between two frames: a display faster than the generator fades from what it shows to the newest frame, so that motion is smooth.

The fade takes as long as frames have lately been apart, and is at its end when the next one is due: a frame is wholly seen at
most one frame's time later than without. Where the generator is about as fast as the display, frames are shown as they come.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.values import Frame

Pixels = NDArray[np.uint8]

LONGEST: Final = 0.25
"""Seconds that a fade takes at most: at fewer than four frames a second, or after a pause, two faces would be seen at once."""
RECENT: Final = 0.3
"""Weight of the newest interval in the running mean of the time between frames."""


class Blend:
    """What to put on the screen when. `every` is the time between two pictures of the display, in seconds."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._frame: Frame | None = None  # the newest
        self._arrived = self._put_up = float("-inf")  # when it came; when a picture was put up last
        self._interval: float | None = None  # mean time between frames
        self._before: Pixels | None = None  # what was on the screen when the newest came
        self._shown: Pixels | None = None
        self._fading = False

    def step(self, frame: Frame | None, t: float) -> tuple[Pixels | None, Frame | None]:
        """The picture to put up at time `t`, if any, and the frame that is over: wholly seen, or replaced by a newer one.

        `frame` is a new one, if there is any, its pixels (H, W, 3). `t` never runs backwards.
        """
        over = None
        if frame is not None:
            over = self._frame if self._fading else None
            self._take(frame, t)
        elif not self._fading or t - self._put_up < 0.9 * self._every:  # looks come at their own pace, some a little early
            return None, None
        assert self._frame is not None
        self._put_up = t
        newest = self._frame.pixels
        duration = self._interval or 0.0
        # What is put up stays until the next picture is due, so it shows the fade as it is then; and an end that is nearer than
        # half a picture is now.
        elapsed = t - self._arrived + self._every
        if self._before is None or self._before.shape != newest.shape or elapsed >= duration - self._every / 2:
            self._fading, self._shown = False, newest
            return newest, self._frame
        part = elapsed / duration
        self._shown = np.asarray(cv2.addWeighted(newest, part, self._before, 1 - part, 0), np.uint8)
        return self._shown, over

    def wait(self, t: float) -> float:
        """Seconds from time `t` to the fade's next picture, at least 0; infinity where none is to come."""
        return max(0.0, self._put_up + self._every - t) if self._fading else float("inf")

    def _take(self, frame: Frame, t: float) -> None:
        if self._frame is not None:
            interval = min(t - self._arrived, LONGEST)
            self._interval = interval if self._interval is None else self._interval + RECENT * (interval - self._interval)
        self._frame, self._arrived, self._before, self._fading = frame, t, self._shown, True
