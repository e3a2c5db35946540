"""The show: owns the stages and gives them threads (live) or one loop on the virtual clock (offline)."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from realtime.clock import Clock, VirtualClock
from realtime.draw import Drawer
from realtime.express import Express
from realtime.faces import Faces
from realtime.latest import Latest
from realtime.listen import Listener
from realtime.outputs.hud import Reading
from realtime.outputs.osc import OscOutput, Value
from realtime.outputs.video import VideoOutput
from realtime.outputs.window import WindowOutput
from realtime.own_faces import OwnFaces
from realtime.rate import Rate
from realtime.recorder import Recorder
from realtime.sound.ring import Ring
from realtime.sound.source import Source
from realtime.stats import Stats
from realtime.values import Frame, Heard
from realtime.worker import Worker

log = logging.getLogger(__name__)

LISTEN_EVERY: Final = 0.01
"""Seconds between looks into the ring: half a block."""
SCREEN_EVERY: Final = 1 / 120
"""Seconds for which the main thread waits for a frame, at most, before it looks at the keys again."""
RECENT: Final = 30
"""Frames over which the latency on the head-up display is taken."""


@dataclass
class Stages:
    """What live and offline shows have in common."""

    clock: Clock
    listener: Listener
    express: Express
    drawer: Drawer
    faces: Faces | OwnFaces
    stats: Stats
    video: VideoOutput | None
    osc: OscOutput | None

    @property
    def search(self) -> str:
        """How far the search for the expressions of the face of the start is; empty while nothing is searched."""
        return "" if self.faces.part is None else f"finding its expressions: {self.faces.part:.0%}"

    def listen(self) -> None:
        """Take in all sound that came. Counted as "hearing" is what a step with a verdict on the emotion takes."""
        began, verdicts = time.perf_counter(), 0
        for value in self.listener.step():
            if isinstance(value, Heard):
                self.express.hear(value)
                verdicts += 1
            else:
                self.express.feel(value)
        if verdicts:
            self.stats.add("hearing", time.perf_counter() - began)

    def close(self) -> None:
        """Let go of sockets and processes; the video is closed by who writes it."""
        if self.osc:
            self.osc.close()
        self.faces.close()


def run_offline(
    stages: Stages, clock: VirtualClock, ring: Ring, blocks: Iterable[NDArray[np.float32]], fps: float, seconds: float | None
) -> dict[str, Any]:
    """Play `blocks` through the stages as fast as they can; every frame hears exactly what came before its time."""
    feed, fed = iter(blocks), 0
    block = next(feed, None)
    number = 0
    while seconds is None or number / fps < seconds:
        t = number / fps
        clock.set(t)
        while block is not None and (fed + len(block)) / ring.rate <= t:
            fed += len(block)
            ring.write(block, fed / ring.rate)
            stages.listen()
            block = next(feed, None)
        if block is None and fed / ring.rate < t:
            break
        frame = stages.drawer.step(t)
        if stages.video:
            stages.video.step(frame)
        if stages.osc:
            stages.osc.step(frame, t, {"/s2e/heartbeat": (int(t),)})
        number += 1
    if stages.video:
        stages.video.close()
    stages.close()
    return {"frames": number, "seconds": round(number / fps, 3), "lost samples": stages.listener.lost, **stages.stats.summary()}


def with_onset_of(dropped: Frame, newer: Frame) -> Frame:
    """An onset is said once and not, as all else in a frame, again with the next."""
    return replace(newer, controls=replace(newer.controls, onset=newer.controls.onset or dropped.controls.onset))


class LiveShow:
    """Listener, renderer, recorder and OSC on threads of their own; the window on the caller's."""

    def __init__(self, stages: Stages, source: Source, window: WindowOutput | None, fps: float) -> None:
        self._stages, self._source, self._window = stages, source, window
        self._frame_time = 1 / fps
        self._stop = threading.Event()
        self._for_window: Latest[Frame] = Latest()
        self._for_osc: Latest[Frame] = Latest(with_onset_of)
        self._recorder = Recorder(stages.video) if stages.video else None
        self._shown = Rate()
        self._workers = [Worker("listener", self._listen), Worker("renderer", self._draw)]
        if self._recorder:
            self._workers.append(Worker("recorder", self._recorder.step))
        if stages.osc:
            self._workers.append(Worker("osc", self._send))

    def stop(self) -> None:
        """End the show soon; may be called from any thread or a signal handler."""
        self._stop.set()

    def run(self, seconds: float | None) -> dict[str, Any]:
        """Play until the window is closed, the sound has ended, `seconds` are over, or `stop`. Returns the report."""
        clock = self._stages.clock
        began = clock.now()
        try:
            self._source.start()
            for worker in self._workers:
                worker.start()
            while not self._stop.is_set() and not self._source.finished:
                if seconds is not None and clock.now() - began >= seconds:
                    break
                self._stages.faces.step()
                self._show()
                if self._window and self._window.quit:
                    break
        finally:
            played = clock.now() - began
            self._close()
        return self._report(played)

    @property
    def health(self) -> str:
        """Empty while all is well, else what fails."""
        return self._source.health or next((worker.health for worker in self._workers if worker.health), "")

    def _listen(self) -> None:
        self._stages.listen()
        self._stop.wait(LISTEN_EVERY)

    def _draw(self) -> None:
        clock = self._stages.clock
        began = clock.now()
        frame = self._stages.drawer.step(began)
        self._for_window.put(frame)
        self._for_osc.put(frame)
        if self._recorder:
            self._recorder.put(frame)
        if not self._window:
            self._shown.tick(frame.t_ready)
        self._stop.wait(max(0.0, self._frame_time - (clock.now() - began)))

    def _send(self) -> None:
        frame = self._for_osc.take(timeout=0.1)
        if self._stages.osc is None:
            return
        t = self._stages.clock.now()
        with self._stages.stats.timed("osc"):
            self._stages.osc.step(frame, t, self._state())
        if frame is not None and (age := frame.age_of_sound(t)) is not None:
            self._stages.stats.add("sound to osc", age)

    def _show(self) -> None:
        if self._window is None:
            self._stop.wait(0.1)
            return
        clock, stats = self._stages.clock, self._stages.stats
        frame = self._for_window.take(timeout=min(SCREEN_EVERY, self._window.wait(clock.now())))
        latency = stats.median("sound to window", RECENT)
        stages = self._stages
        reading = Reading(
            self._shown.at(clock.now()), latency, stages.faces.name, self._source.description, self.health, stages.search
        )
        began = clock.now()
        seen = self._window.step(frame, reading, began)
        t = clock.now()
        if frame is not None:
            stats.add("window", t - began)
        if seen is not None:
            self._shown.tick(t)
            if (age := seen.age_of_sound(t)) is not None:
                stats.add("sound to window", age)

    def _state(self) -> dict[str, tuple[Value, ...]]:
        # Rounded to whole seconds and frames: state goes out on change, and these change with every frame otherwise.
        t = self._stages.clock.now()
        latency = self._stages.stats.median("sound to osc", RECENT) or 0.0
        return {
            "/s2e/heartbeat": (int(t),),
            "/s2e/fps": (float(round(self._shown.at(t))),),
            "/s2e/latency": (float(round(latency * 100) * 10),),
            "/s2e/health": (self.health or "ok",),
            "/s2e/face": (self._stages.faces.index, self._stages.faces.name),
            "/s2e/freeze": (int(bool(self._window and self._window.freeze)),),
            "/s2e/blackout": (int(bool(self._window and self._window.blackout)),),
            "/s2e/recording": (int(self._recorder is not None and self._recorder.recording),),
        }

    def _close(self) -> None:
        self._stop.set()
        for worker in self._workers:
            worker.end_soon()
        # From the last to the first, each in any case: a second Ctrl-C ends the waiting, and the video is finished all the same.
        with contextlib.ExitStack() as stack:
            stack.callback(self._stages.close)
            if self._window:
                stack.callback(self._window.close)
            if self._recorder:
                stack.callback(self._recorder.close)
            for worker in reversed(self._workers):
                stack.callback(worker.stop)
            stack.callback(self._source.close)

    def _report(self, played: float) -> dict[str, Any]:
        drops = {"window": self._for_window.dropped} if self._window else {}
        if self._stages.osc:
            drops["osc"] = self._for_osc.dropped
        if self._recorder:
            drops["video"] = self._recorder.dropped
        return {
            "seconds": round(played, 3),
            "source": self._source.description,
            "overruns": {"device": self._source.overruns, "ring_samples": self._stages.listener.lost},
            "dropped_frames": drops,
            "osc_failures": self._stages.osc.failures if self._stages.osc else 0,
            "faults": {kind: n for worker in self._workers for kind, n in worker.faults.items()},
            **self._stages.stats.summary(),
        }
