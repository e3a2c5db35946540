"""The show: the same stages in one loop or on threads, and a report of what happened."""

import os
import signal
import time
from pathlib import Path

import av
import numpy as np
import pytest

from models.emotion.hearing import Hearing
from models.emotion.prosody import Prosody as Measured
from models.errors import UserError
from models.expression.paths import ExpressionPaths
from models.labels import EMOTIONS
from realtime.clock import Clock, MonotonicClock, VirtualClock
from realtime.draw import Drawer, FaceOnShow
from realtime.express import Express
from realtime.listen import Listener
from realtime.outputs.video import VideoOutput
from realtime.settings import Expression
from realtime.show import LiveShow, Stages, run_offline
from realtime.sound.ring import Ring
from realtime.stats import Stats
from realtime.values import Frame

RATE = 16_000
HAPPY = EMOTIONS.index("happy")


class HappyWhenLoud:
    """A classifier and a tracker by loudness alone."""

    def step(self, samples: np.ndarray) -> Hearing | Measured:
        loudness = float(np.abs(samples).mean())
        if len(samples) == RATE // 50:
            return Measured(-20.0 if loudness > 0.1 else -80.0, 0.0, 0.0, 0.0)
        speaking = loudness > 0.1
        return Hearing(np.eye(5, dtype=np.float32)[HAPPY if speaking else 1], float(speaking), speaking, 0.0, 0.0)


class Engine:
    def __init__(self, fails: int = 0) -> None:
        self.fails = fails

    def render(self, ws: np.ndarray) -> np.ndarray:
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the engine hiccups")
        return np.full((64, 64, 3), np.clip(ws.mean(), 0, 255), np.uint8)


class NoOtherFaces:
    name, index = "test", 0

    def step(self) -> None: ...

    def close(self) -> None: ...


def stages(clock: Clock, ring: Ring, engine: Engine) -> Stages:
    paths = np.zeros((5, 1, 2, 512), np.float32)
    paths[HAPPY] = 200
    face = FaceOnShow(ExpressionPaths(np.zeros((2, 512), np.float32), paths, {}, "hash", "test"))
    express, stats = Express(Expression(life=0, attack=0, hold=0, release=0)), Stats()
    hears = HappyWhenLoud()
    return Stages(
        clock,
        Listener(ring, hears, hears),
        express,
        Drawer(express, face, engine, clock, stats),
        NoOtherFaces(),
        stats,
        None,
        None,
    )


def voice(seconds: float, loud: tuple[float, float]) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return (np.sign(np.sin(2 * np.pi * 200 * t)) * ((t >= loud[0]) & (t < loud[1])) * 0.5).astype(np.float32)[:, None]


@pytest.mark.parametrize("block", [160, 320, 800])
def test_offline_every_frame_hears_exactly_what_came_before_it(block: int) -> None:
    clock, ring = VirtualClock(), Ring(RATE, 1)
    shown = []

    class Watched(Engine):
        def render(self, ws: np.ndarray) -> np.ndarray:
            shown.append((clock.now(), float(ws.mean())))
            return super().render(ws)

    sound = voice(3.0, (1.0, 2.0))
    blocks = [sound[k : k + block] for k in range(0, len(sound), block)]
    report = run_offline(stages(clock, ring, Watched()), clock, ring, blocks, fps=20, seconds=None)
    happy = [t for t, value in shown if value > 100]
    assert report["frames"] == len(shown) == 61
    assert happy[0] == pytest.approx(1.1)
    assert happy[-1] == pytest.approx(2.05)


def test_offline_ends_after_the_seconds_it_is_given() -> None:
    clock, ring = VirtualClock(), Ring(RATE, 1)
    report = run_offline(stages(clock, ring, Engine()), clock, ring, [voice(3, (0, 3))], fps=10, seconds=1.0)
    assert report["frames"] == 10


class Tone:
    """A source that is loud as soon as it is started, and ends after a second."""

    description, health, overruns = "tone", "", 0

    def __init__(self, clock: Clock) -> None:
        self._clock, self.ring, self.closed = clock, Ring(RATE, 1), False
        self._until = float("inf")

    @property
    def finished(self) -> bool:
        if self._clock.now() >= self.ring.written / RATE:
            self.ring.write(voice(0.1, (0, 0.1)), self._clock.now())
        return self._clock.now() > self._until

    def start(self) -> None:
        self._until = self._clock.now() + 1.0

    def close(self) -> None:
        self.closed = True


def test_live_threads_play_until_the_sound_ends_and_a_fault_does_not_end_them() -> None:
    clock = MonotonicClock()
    source = Tone(clock)
    show = LiveShow(stages(clock, source.ring, Engine(fails=2)), source, None, fps=50)
    report = show.run(seconds=None)
    assert report["faults"] == {"renderer: RuntimeError: the engine hiccups": 2}
    assert report["milliseconds"]["engine"]["n"] > 5
    assert report["source"] == "tone"
    assert source.closed


def test_a_live_show_ends_after_its_seconds(tmp_path: Path) -> None:
    clock = MonotonicClock()
    source = Tone(clock)
    report = LiveShow(stages(clock, source.ring, Engine()), source, None, fps=50).run(seconds=0.3)
    assert report["seconds"] >= 0.3
    assert source.closed


def test_an_onset_reaches_osc_although_its_frame_does_not() -> None:
    class Late:
        """Busy with the first frame until long after somebody began to speak."""

        failures = 0

        def __init__(self) -> None:
            self.onsets: list[bool] = []

        def step(self, frame: Frame | None, t_handed: float, state: object) -> None:
            if frame is not None:
                time.sleep(0 if self.onsets else 0.6)
                self.onsets.append(frame.controls.onset)

        def close(self) -> None: ...

    clock, osc = MonotonicClock(), Late()
    source = Tone(clock)
    parts = stages(clock, source.ring, Engine())
    parts.osc = osc
    LiveShow(parts, source, None, fps=50).run(seconds=None)
    assert osc.onsets.count(True) == 1


def test_a_source_that_does_not_start_leaves_no_file(tmp_path: Path) -> None:
    class Refused(Tone):
        def start(self) -> None:
            raise UserError("the device is busy")

    clock = MonotonicClock()
    source = Refused(clock)
    parts = stages(clock, source.ring, Engine())
    parts.video = VideoOutput(tmp_path / "a.mp4", 64, 25, source.ring)
    with pytest.raises(UserError, match="busy"):
        LiveShow(parts, source, None, fps=50).run(seconds=1)
    assert source.closed
    assert list(tmp_path.iterdir()) == []


def test_a_video_on_a_full_disk_is_given_up_and_the_show_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = MonotonicClock()
    source = Tone(clock)
    parts = stages(clock, source.ring, Engine())
    parts.video = VideoOutput(tmp_path / "a.mp4", 64, 25, source.ring)
    parts.video.given_up = UserError("the disk is full")
    show = LiveShow(parts, source, None, fps=50)
    report = show.run(seconds=None)
    assert list(report["faults"]) == ["recorder: UserError: the disk is full"]
    assert report["milliseconds"]["engine"]["n"] > 5
    assert [record.exc_info for record in caplog.records if "the disk is full" in record.message] == [False]
    parts.video.discard()


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_second_interrupt_while_the_stages_are_waited_for_leaves_a_whole_video(tmp_path: Path) -> None:
    class Impatient(Tone):
        def close(self) -> None:
            raise KeyboardInterrupt

    clock = MonotonicClock()
    source = Impatient(clock)
    parts = stages(clock, source.ring, Engine())
    parts.video = VideoOutput(tmp_path / "a.mp4", 64, 25, source.ring)
    with pytest.raises(KeyboardInterrupt):
        LiveShow(parts, source, None, fps=50).run(seconds=0.3)
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]
    assert frames_in(tmp_path / "a.mp4") > 1


def test_a_second_interrupt_while_the_video_is_finished_leaves_it_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = MonotonicClock()
    source = Tone(clock)
    parts = stages(clock, source.ring, Engine())
    parts.video = video = VideoOutput(tmp_path / "a.mp4", 64, 25, source.ring)
    finish = video.close

    def slowly() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        finish()

    monkeypatch.setattr(video, "close", slowly)
    outside = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            LiveShow(parts, source, None, fps=50).run(seconds=0.3)
    finally:
        signal.signal(signal.SIGINT, outside)
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]
    assert frames_in(tmp_path / "a.mp4") > 1
