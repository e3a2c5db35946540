"""The default output device, for hearing a file while it plays."""

import logging

import numpy as np
import pyaudio
from numpy.typing import NDArray

from realtime.sound.portaudio import open_portaudio, quiet_stderr

log = logging.getLogger(__name__)


class Speaker:
    """Plays blocks as they come; a block the device has no room for is dropped, so that the show is never late."""

    def __init__(self, audio: pyaudio.PyAudio, stream: pyaudio.Stream) -> None:
        self._audio, self._stream = audio, stream

    @classmethod
    def open(cls, rate: int, channels: int) -> "Speaker | None":
        """The default output, or None (and a line in the log) where there is none: a show can do without."""
        audio = open_portaudio()
        try:
            with quiet_stderr():
                stream = audio.open(
                    rate=rate, channels=channels, format=pyaudio.paFloat32, output=True, frames_per_buffer=rate // 10
                )
        except OSError as error:
            audio.terminate()
            log.info("the file is not heard: no sound output (%s)", error)
            return None
        return cls(audio, stream)

    def play(self, block: NDArray[np.float32]) -> None:
        """Hand (n, channels) samples in -1...1 to the device, if it has room for them."""
        if self._stream.get_write_available() >= len(block):
            self._stream.write(np.ascontiguousarray(block, np.float32).tobytes())

    def close(self) -> None:
        """Stop at once."""
        with quiet_stderr():
            self._stream.close()
            self._audio.terminate()
