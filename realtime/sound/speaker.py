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
"""Seconds of sound kept between the player and the device, so that neither ever waits for the other."""


class Speaker:
    """Plays blocks as they come; where none come it is silent."""

    def __init__(self, rate: int, channels: int) -> None:
        """Raises OSError where there is no output."""
        self._ring = Ring(rate, channels, seconds=5.0)
        self._cursor: Cursor = self._ring.cursor()
        self._left: NDArray[np.float32] = np.zeros((round(BUFFERED * rate), channels), np.float32)
        self._audio = open_portaudio()
        try:
            with quiet_stderr():
                self._stream = self._audio.open(
                    rate=rate, channels=channels, format=pyaudio.paFloat32, output=True, stream_callback=self._callback
                )
        except OSError:
            self._audio.terminate()
            raise
        self.lead: float = BUFFERED + self._stream.get_output_latency()
        """Seconds by which blocks should come before they are to be heard."""

    @classmethod
    def open(cls, rate: int, channels: int) -> "Speaker | None":
        """The default output, or None (and a line in the log) where there is none: a show can do without."""
        try:
            return cls(rate, channels)
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
        sound = np.concatenate([self._left, self._cursor.read()])
        self._left = sound[n:]
        missing = np.zeros((max(0, n - len(sound)), self._ring.channels), np.float32)
        return np.concatenate([sound[:n], missing]).tobytes(), pyaudio.paContinue
