"""Sound from a file of any format FFmpeg reads: block by block for offline work, paced by the clock for a show."""

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from models.errors import UserError
from realtime.clock import Clock
from realtime.sound.audible import audible
from realtime.sound.ring import Ring
from realtime.sound.speaker import Speaker

log = logging.getLogger(__name__)

DEMO_VOICE: Final = Path(__file__).with_name("demo_voice.opus")
"""The bundled voice; demo_voice.README.md says how it was made and whose it is."""

LOWEST_RATE: Final = 1000
HIGHEST_RATE: Final = 768_000
"""Hz: beyond them it is a damaged header, which would ask for endless memory or time."""
RETRY_EVERY: Final = 2.0
"""Seconds between attempts to read a looped file again that could not be read."""


class SoundFile:
    """The first sound stream of a file, mono or stereo, at its own rate.

    Raises `UserError` where the file is missing, unreadable, no sound, or empty.
    """

    def __init__(self, path: Path, block_seconds: float = 0.02) -> None:
        self.path = path
        self.block_seconds = block_seconds
        try:
            with self._open() as container:
                codec = self._stream(container).codec_context
                if codec is None or not LOWEST_RATE <= codec.sample_rate <= HIGHEST_RATE:
                    found = "a kind that is not known" if codec is None else f"{codec.sample_rate} Hz"
                    raise UserError(
                        f"{path} holds sound of {found}; {LOWEST_RATE} to {HIGHEST_RATE} Hz of any usual kind are read, "
                        "turn it into a wav with ffmpeg"
                    )
                self.rate: int = codec.sample_rate
                self.channels = 1 if codec.channels == 1 else 2
            first = next(self.blocks(), None)
        except av.FFmpegError as error:
            raise UserError(f"{path} cannot be read as sound ({error.strerror}); name a sound file that exists") from error
        if first is None:
            raise UserError(self._why_nothing())

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """The whole sound as float32 (n, channels) blocks of the block length, the last one shorter.

        A file that breaks off in the middle ends there; one that changes its rate or channels on the way (recordings of
        broadcasts do) goes on at the first ones, behind a shorter block. Raises `av.FFmpegError` or `UserError` where it can't be
        opened any more.
        """
        kind, resampler = None, self._resampler()
        with self._open() as container:
            stream = self._stream(container)
            try:
                for frame in container.decode(stream):
                    before, kind = kind, (frame.format.name, frame.layout.name, frame.sample_rate)
                    if kind != before:
                        yield from self._arrays(resampler.resample(None) if before else [])
                        resampler = self._resampler()
                    yield from self._arrays(resampler.resample(frame))
                yield from self._arrays(resampler.resample(None))
            except av.FFmpegError:
                with contextlib.suppress(av.FFmpegError):
                    yield from self._arrays(resampler.resample(None))

    def looped(self) -> Iterator[NDArray[np.float32]]:
        """The same over and over. Raises `UserError` for a file that lost its samples: it would be opened without end."""
        while True:
            blocks = self.blocks()
            first = next(blocks, None)
            if first is None:
                raise UserError(f"{self.path} holds no samples any more")
            yield first
            yield from blocks

    def _open(self) -> av.container.InputContainer:
        # Absolute: FFmpeg takes what stands before a colon for a protocol. Titles come in any encoding, and are not read.
        return av.open(str(self.path.absolute()), metadata_errors="replace")

    def _why_nothing(self) -> str:
        """Why no sample comes out: none goes in, or FFmpeg knows no mix of that many channels, as of 9, 18 or 32."""
        frame = None
        with contextlib.suppress(av.FFmpegError), self._open() as container:
            frame = next(container.decode(self._stream(container)), None)
        if frame is not None and frame.samples and frame.layout.nb_channels > 2:
            return (
                f"{self.path} holds {frame.layout.nb_channels} channels, which can't be mixed; choose the voice's, the first "
                "say, with ffmpeg -i FILE -af 'pan=mono|c0=c0' voice.wav"
            )
        return f"{self.path} holds a sound stream without samples that can be read; name a file with sound in it"

    def _stream(self, container: av.container.InputContainer) -> AudioStream:
        if not container.streams.audio:
            raise UserError(f"{self.path} holds no sound; name a file with an audio stream (wav, flac, mp3, opus, mp4 ...)")
        return container.streams.audio[0]

    def _resampler(self) -> av.AudioResampler:
        block = max(1, round(self.block_seconds * self.rate))
        return av.AudioResampler("flt", "mono" if self.channels == 1 else "stereo", self.rate, frame_size=block)

    def _arrays(self, frames: list[av.AudioFrame]) -> Iterator[NDArray[np.float32]]:
        for frame in frames:
            yield audible(frame.to_ndarray().reshape(-1, self.channels))


class PlayingFile:
    """A file as a live source: its samples reach the ring when the clock says so, and the speaker if there is one.

    A looped file that vanishes or holds no more sound is named in `health`, and goes on from its beginning when it can be read.
    """

    overruns = 0

    def __init__(self, sound: SoundFile, clock: Clock, *, loop: bool = False, aloud: bool = True) -> None:
        self.description = f"{sound.path.name} ({sound.rate} Hz, {'mono' if sound.channels == 1 else 'stereo'})"
        self.ring = Ring(sound.rate, sound.channels)
        self.health = ""
        self._sound, self._clock, self._loop = sound, clock, loop
        self._speaker = Speaker.open(sound.rate, sound.channels, sound.block_seconds) if aloud else None
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
        while not self._stop.is_set():
            self._play_while_readable()
            if not (self._loop and self.health):
                break
            self._stop.wait(RETRY_EVERY)
        self._finished = True

    def _play_while_readable(self) -> None:
        # The speaker gets each block ahead of time, as much as it buffers: it is heard when the face hears it.
        lead = self._speaker.lead if self._speaker else 0.0
        began, played = self._clock.now() + lead, 0
        waiting: deque[tuple[float, NDArray[np.float32]]] = deque()
        try:
            for block in self._sound.looped() if self._loop else self._sound.blocks():
                if self.health:
                    log.warning("%s can be read again", self.description)
                    self.health = ""
                    self.ring.restart_time()
                played += len(block)
                due = began + played / self._sound.rate
                while waiting and waiting[0][0] < due - lead:
                    if self._stopped_by(waiting[0][0]):
                        return
                    self._hand_over(waiting)
                if self._stopped_by(due - lead):
                    return
                if self._speaker:
                    self._speaker.play(block)
                waiting.append((due, block))
                self._hand_over(waiting)
        except (av.FFmpegError, OSError, UserError) as error:
            if not self.health:
                log.warning("%s cannot be read any more (%s); the face rests", self.description, error)
            self.health = f"{self.description} cannot be read"
        while waiting and not self._stopped_by(waiting[0][0]):
            self._hand_over(waiting)

    def _stopped_by(self, time: float) -> bool:
        """Wait until the clock's `time`, or until `close`."""
        return self._stop.wait(max(0.0, time - self._clock.now()))

    def _hand_over(self, waiting: deque[tuple[float, NDArray[np.float32]]]) -> None:
        while waiting and waiting[0][0] <= self._clock.now():
            due, block = waiting.popleft()
            self.ring.write(block, due)
