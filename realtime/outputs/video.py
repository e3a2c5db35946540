"""A video file with the sound in it: H.264 and AAC, every frame at its own time, written beside the target and renamed."""

import contextlib
import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from models.errors import UserError
from realtime.sound.ring import Cursor, Ring
from realtime.values import Frame

log = logging.getLogger(__name__)

FORMATS: Final = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
TIME_BASE: Final = Fraction(1, 90_000)
SOUND_RATE: Final = 48_000
"""Hz of the sound track: AAC knows a few rates only, microphones and files have any."""
LARGEST_GAP: Final = 0.04
"""Seconds by which sound may be off its capture time before silence is put in or sound left out."""
LONGEST_WAIT: Final = 5.0
"""Seconds the sound track may be behind the pictures: after them no sound comes for now, and silence is put in as time goes."""


def format_of(path: Path) -> str:
    """FFmpeg's name of the format that the suffix of a video file means. Raises `UserError` for any other suffix."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"video file {path} has no known suffix; name it with one of {', '.join(FORMATS)}")
    return FORMATS[path.suffix.lower()]


class VideoOutput:
    """Writes frames and the ring's sound since it was made; time 0 of the file is the time `t_start` of the show.

    Raises `UserError` for a suffix that is no known format or a folder that cannot be written to, and when it cannot be written
    on later, as on a full disk: then what there was is kept if it plays (Matroska does, as far as it goes), and removed if not.
    """

    def __init__(self, path: Path, size: int, fps: float, ring: Ring, t_start: float = 0.0) -> None:
        format_name = format_of(path)
        if path.is_dir():
            raise UserError(f"video file {path} cannot be written (it is a folder); name a file")
        # Absolute: FFmpeg takes what stands before a colon for a protocol.
        self._path, self._part = path, path.with_name(f".{path.name}.part").absolute()
        try:
            self._part.touch()
        except OSError as error:
            raise UserError(f"video file {path} cannot be written ({error.strerror}); name a folder you may write to") from error
        self._container = av.open(str(self._part), "w", format=format_name)
        self._video: VideoStream = self._container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        self._video.width = self._video.height = size
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = TIME_BASE
        # zerolatency: no frame waits for later ones, so a show that ends at once loses none.
        self._video.options = {"preset": "veryfast", "crf": "18", "tune": "zerolatency"}
        self._sound = _Sound(self._container, ring, t_start)
        self._t_start = t_start
        self._last_pts = -1
        self.frames = 0
        self._closed = False
        self.given_up: UserError | None = None
        """Why the file can't be written on."""

    def step(self, frame: Frame) -> None:
        """Append `frame` at the time it speaks of, and all sound that came since the last one."""
        if self.given_up:
            raise self.given_up
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.pixels), format="rgb24")
        picture.pts = max(self._last_pts + 1, round((frame.controls.t - self._t_start) / TIME_BASE))
        picture.time_base = TIME_BASE
        self._last_pts = picture.pts
        with self._or_give_up():
            self._container.mux(self._video.encode(picture))
            self._sound.step(frame.controls.t)
        self.frames += 1

    def close(self) -> None:
        """Finish the file and give it its name; calling it again does nothing. Without any frame no file is left."""
        if self._closed:
            return
        with self._or_give_up():
            self._sound.step()
            if self.frames:
                self._container.mux(self._video.encode(None))
                self._sound.finish()
            self._container.close()
            if self.frames:
                self._part.replace(self._path)
        self._closed = True
        if self.frames:
            log.info("video written to %s (%d frames)", self._path, self.frames)
        else:
            self._part.unlink(missing_ok=True)

    def discard(self) -> None:
        """Leave no file: what was begun is not to be finished. After it `close` does nothing."""
        if not self._closed:
            self._end()
            self._part.unlink(missing_ok=True)

    def _end(self) -> None:
        self._closed = True
        with contextlib.suppress(av.FFmpegError):  # of a full disk, again
            self._container.close()

    def _keep_what_plays(self) -> bool:
        self._end()
        with contextlib.suppress(av.FFmpegError, OSError):
            with av.open(str(self._part)) as container:
                plays = any(True for _ in container.decode(container.streams.video))
            if plays:
                self._part.replace(self._path)
                return True
        self._part.unlink(missing_ok=True)
        return False

    @contextlib.contextmanager
    def _or_give_up(self) -> Iterator[None]:
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            fate = "ends there (it plays to about that point)" if self._keep_what_plays() else "is given up"
            self.given_up = UserError(
                f"video file {self._path} cannot be written on ({error.strerror}) and {fate}; make room, or name another"
            )
            raise self.given_up from error


class _Sound:
    """The sound track: gapless for the encoder, in step with the capture times."""

    def __init__(self, container: av.container.OutputContainer, ring: Ring, t_start: float) -> None:
        self._container, self._ring, self._t_start = container, ring, t_start
        self._cursor: Cursor = ring.cursor()
        self._layout = "mono" if ring.channels == 1 else "stereo"
        self._stream: AudioStream = container.add_stream("aac", rate=SOUND_RATE, layout=self._layout)
        self._stream.codec_context.open()
        self._resampler = av.AudioResampler("fltp", self._layout, SOUND_RATE, frame_size=self._stream.codec_context.frame_size)
        self._written = 0  # samples at the ring's rate: the track's own time

    def step(self, t: float = 0.0) -> None:
        """Append what came since the last time; `t` is the time of the newest picture."""
        lost = self._cursor.lost
        begin = self._cursor.position
        samples = self._cursor.read()
        begin += self._cursor.lost - lost
        if len(samples):
            self._append(self._in_step(samples, begin))
        else:
            self._append_silence(self._gap(t - LONGEST_WAIT))

    def finish(self) -> None:
        for frame in self._resampler.resample(None):
            self._container.mux(self._stream.encode(frame))
        self._container.mux(self._stream.encode(None))

    def _gap(self, t: float) -> int:
        """Samples from the end of the track to the clock's time `t`."""
        return round((t - self._t_start) * self._ring.rate) - self._written

    def _in_step(self, samples: NDArray[np.float32], begin: int) -> NDArray[np.float32]:
        gap = self._gap(self._ring.time_of(begin))
        if gap > LARGEST_GAP * self._ring.rate:
            self._append_silence(gap)
        elif gap < -LARGEST_GAP * self._ring.rate:
            return samples[-gap:]
        return samples

    def _append_silence(self, n: int) -> None:
        for begin in range(0, n, self._ring.rate):
            self._append(np.zeros((min(self._ring.rate, n - begin), self._ring.channels), np.float32))

    def _append(self, samples: NDArray[np.float32]) -> None:
        if not len(samples):
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout=self._layout)
        frame.sample_rate = self._ring.rate
        frame.time_base = Fraction(1, self._ring.rate)
        frame.pts = self._written
        self._written += len(samples)
        for part in self._resampler.resample(frame):
            self._container.mux(self._stream.encode(part))
