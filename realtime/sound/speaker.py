"""The default output device, for hearing a file while it plays."""

import logging
from collections.abc import Mapping
from typing import Final

import numpy as np
import pyaudio
from numpy.typing import NDArray

from realtime.sound.portaudio import open_portaudio, quiet_stderr
from realtime.sound.ring import Cursor, Ring

log = logging.getLogger(__name__)

BUFFERED: Final = 0.1
"""Seconds of sound kept between the player and the device, so that neither ever waits for the other; at least ..."""
BLOCKS_BUFFERED: Final = 1.5
"""... these blocks, so that one more is never too many."""


class Speaker:
    """Plays blocks as they come; where none come it is silent.

    The player's clock and the device's are two. So that they never drift apart, the reserve is made anew: where twice as much
    waits the oldest is left out, and where all is used up there is silence until the next sound is as late as it should be.
    """

    def __init__(self, rate: int, channels: int, block_seconds: float) -> None:
        """For blocks of that length. Raises OSError where there is no output."""
        self._ring = Ring(rate, channels, seconds=5.0)
        self._cursor: Cursor = self._ring.cursor()
        buffered = max(BUFFERED, BLOCKS_BUFFERED * block_seconds)
        self._reserve = self._pause = round(buffered * rate)
        self._audio = open_portaudio()
        try:
            with quiet_stderr():
                self._stream = self._audio.open(
                    rate=rate, channels=channels, format=pyaudio.paFloat32, output=True, stream_callback=self._callback
                )
        except OSError:
            self._audio.terminate()
            raise
        self.lead: float = buffered + self._stream.get_output_latency()
        """Seconds by which blocks should come before they are to be heard."""

    @classmethod
    def open(cls, rate: int, channels: int, block_seconds: float) -> "Speaker | None":
        """The default output, or None (and a line in the log) where there is none: a show can do without."""
        try:
            return cls(rate, channels, block_seconds)
        except OSError as error:
            log.info("the file is not heard: no sound output (%s)", error)
            return None

    def play(self, block: NDArray[np.float32]) -> None:
        """Append (n, channels) samples in -1...1. Never waits."""
        self._ring.write(block, 0.0)

    def close(self) -> None:
        """Stop at once."""
        with quiet_stderr():
            self._stream.close()
            self._audio.terminate()

    def _callback(self, _input: bytes | None, n: int, _times: Mapping[str, float], _status: int) -> tuple[bytes, int]:
        reserve = max(self._reserve, n)
        self._cursor.skip_to_newest(2 * reserve, reserve)
        out = np.zeros((n, self._ring.channels), np.float32)
        if waiting := self._cursor.waiting:
            # Counted down and not only compared: the end of a sound is heard although no more comes.
            self._pause = min(self._pause, max(0, reserve - waiting))
            silent = min(self._pause, n)
            sound = self._cursor.read(n - silent)
            out[silent : silent + len(sound)] = sound
            self._pause = self._pause - silent if silent + len(sound) == n else reserve
        else:
            self._pause = reserve
        return out.tobytes(), pyaudio.paContinue
