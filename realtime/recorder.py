"""The queue before the video file: unlike every other hand-over it keeps all frames, up to a bound that is counted."""

import logging
import queue
import threading
from typing import Final

from models.errors import UserError
from realtime.outputs.video import VideoOutput
from realtime.values import Frame

log = logging.getLogger(__name__)

LONGEST: Final = 120
"""Frames that may wait; a disk or processor that falls further behind loses frames, which are counted."""


class Recorder:
    """Takes frames from the drawing thread and writes them from its own."""

    def __init__(self, video: VideoOutput) -> None:
        self._video = video
        self._queue: queue.Queue[Frame] = queue.Queue(LONGEST)
        self._finished = threading.Event()
        self.dropped = 0

    @property
    def recording(self) -> bool:
        """False once the file had to be given up."""
        return self._video.given_up is None

    def put(self, frame: Frame) -> None:
        """Never waits."""
        try:
            self._queue.put_nowait(frame)
        except queue.Full:
            self.dropped += 1

    def step(self) -> None:
        """Write the next frame, or return after a moment without one."""
        try:
            self._video.step(self._queue.get(timeout=0.1))
        except queue.Empty:
            return

    def close(self) -> None:
        """Write what still waits and finish the file. A file that can't be finished is named, and no reason not to end well."""
        if not self.recording:  # `step` said so
            return
        # Ctrl-C interrupts the main thread wherever it is; half a trailer written, the file would be lost.
        finishing = threading.Thread(target=self._finish, name="end of the video")
        try:
            finishing.start()
            finishing.join()
        except (KeyboardInterrupt, SystemExit):
            self._finished.wait()  # the thread cannot be joined where `start` was interrupted
            raise

    def _finish(self) -> None:
        try:
            while not self._queue.empty():
                self._video.step(self._queue.get_nowait())
            self._video.close()
        except UserError as error:
            log.error("%s", error)
        finally:
            self._finished.set()
