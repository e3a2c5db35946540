"""Sound from a file of any format FFmpeg reads: block by block for offline work, paced by the clock for a show."""

import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from models.errors import UserError
from realtime.clock import Clock
from realtime.sound.ring import Ring
from realtime.sound.speaker import Speaker

DEMO_VOICE: Final = Path(__file__).with_name("demo_voice.opus")
"""The bundled voice; demo_voice.README.md says how it was made and whose it is."""


class SoundFile:
    """The first sound stream of a file, mono or stereo, at its own rate.

    Raises `UserError` where the file is missing, unreadable, no sound, or empty.
    """

    def __init__(self, path: Path, block_seconds: float = 0.02) -> None:
        self.path = path
        self._block_seconds = block_seconds
        try:
            with av.open(str(path)) as container:
                if not container.streams.audio:
                    raise UserError(f"{path} holds no sound; name a file with an audio stream (wav, flac, mp3, opus, mp4 ...)")
                stream = container.streams.audio[0]
                self.rate: int = stream.rate
                self.channels = 1 if stream.codec_context.channels == 1 else 2
        except av.FFmpegError as error:
            raise UserError(f"{path} cannot be read as sound ({error.strerror}); name a sound file that exists") from error
        if next(self.blocks(), None) is None:
            raise UserError(f"{path} holds a sound stream without samples; name a file with sound in it")

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The whole sound as float32 (n, channels) blocks of the block length, the last one shorter.

        A file that breaks off in the middle ends there.
        """
        block = max(1, round(self._block_seconds * self.rate))
        layout = "mono" if self.channels == 1 else "stereo"
        resampler = av.AudioResampler(format="flt", layout=layout, rate=self.rate, frame_size=block)
        with av.open(str(self.path)) as container:
            try:
                for frame in container.decode(container.streams.audio[0]):
                    for part in resampler.resample(frame):
                        yield part.to_ndarray().reshape(-1, self.channels).astype(np.float32, copy=False)
            except av.FFmpegError:
                pass
            for part in resampler.resample(None):
                yield part.to_ndarray().reshape(-1, self.channels).astype(np.float32, copy=False)


class PlayingFile:
    """A file as a live source: its samples reach the ring when the clock says so, and the speaker if there is one."""

    overruns = 0
    health = ""

    def __init__(self, sound: SoundFile, clock: Clock, *, loop: bool = False, aloud: bool = True) -> None:
        self.description = f"{sound.path.name} ({sound.rate} Hz, {'mono' if sound.channels == 1 else 'stereo'})"
        self.ring = Ring(sound.rate, sound.channels)
        self._sound, self._clock, self._loop = sound, clock, loop
        self._speaker = Speaker.open(sound.rate, sound.channels) if aloud else None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, name="file", daemon=True)
        self._finished = False

    @property
    def finished(self) -> bool:
        return self._finished

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        if self._stop.is_set():
            return
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._speaker:
            self._speaker.close()

    def _play(self) -> None:
        # The speaker gets each block ahead of time, as much as it buffers: it is heard when the face hears it.
        lead = self._speaker.lead if self._speaker else 0.0
        began, played = self._clock.now() + lead, 0
        waiting: deque[tuple[float, NDArray[np.float32]]] = deque()
        while not self._stop.is_set():
            for block in self._sound.blocks():
                played += len(block)
                due = began + played / self._sound.rate
                if self._stop.wait(max(0.0, due - lead - self._clock.now())):
                    return
                if self._speaker:
                    self._speaker.play(block)
                waiting.append((due, block))
                self._hand_over(waiting)
            if not self._loop:
                break
        while waiting and not self._stop.wait(max(0.0, waiting[0][0] - self._clock.now())):
            self._hand_over(waiting)
        self._finished = True

    def _hand_over(self, waiting: deque[tuple[float, NDArray[np.float32]]]) -> None:
        while waiting and waiting[0][0] <= self._clock.now():
            due, block = waiting.popleft()
            self.ring.write(block, due)
