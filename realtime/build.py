"""From settings to a show that can run: opens what was asked for, and says what it opened."""

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from engine.backend import BACKENDS
from engine.choose import live_quality, open_backend
from models.emotion.prosody import ProsodyTracker
from models.errors import UserError, ending_signals
from models.files import check_place
from models.stylegan.converted import load_generator
from models.stylegan.default import load_default_generator
from models.stylegan.generator import Generator
from realtime.cache_pruning import cache_in_use
from realtime.clock import Clock, MonotonicClock, VirtualClock
from realtime.draw import Drawer
from realtime.express import Express
from realtime.faces import Faces, seed_of
from realtime.lasting_engine import LastingEngine
from realtime.listen import Listener, open_classifier
from realtime.outputs.osc import OscOutput, parse_target
from realtime.outputs.screen import has_screen
from realtime.outputs.video import VideoOutput, format_of
from realtime.outputs.window import WindowOutput
from realtime.own_faces import OwnFaces, learn_and_save
from realtime.settings import Settings
from realtime.show import LiveShow, Stages, run_offline
from realtime.sound.file import DEMO_VOICE, PlayingFile, SoundFile
from realtime.sound.microphone import Microphone
from realtime.sound.ring import Ring
from realtime.sound.source import Source
from realtime.stats import Stats

log = logging.getLogger(__name__)

NICENESS: Final = 5
"""Of a live show: the sound server and the window system come first."""


def play(settings: Settings) -> dict[str, Any]:
    """Build the show that `settings` describe, play it to its end, and return its report.

    Raises `UserError` for whatever of it cannot be opened, before anything is written.
    """
    check(settings)
    with cache_in_use():
        return play_offline(settings) if settings.audio.offline else play_live(settings)


def check(settings: Settings) -> None:
    """Raise `UserError` for what can be told without opening anything; once networks load, it is minutes until it is met."""
    for target in settings.osc.targets:
        parse_target(target)
    if settings.face.name:
        seed_of(settings.face.name)
    if settings.picture.label is not None and settings.picture.generator is None:
        raise UserError("--label chooses a class of a generator of your own; add --generator, or leave it away")
    if "truncation" in settings.face.model_fields_set and settings.picture.generator is None:
        raise UserError("--truncation is that of a generator of your own; add --generator, or leave it away")
    if video := settings.video.file:
        format_of(video)
        check_place(video, "video file")
    if settings.audio.offline and settings.audio.loop and settings.run.seconds is None:
        raise UserError("--offline with --loop has no end; add --seconds N, or leave --loop away")
    snapshots = settings.window.snapshots
    # A show in a folder that can't be written to is none the worse where no snapshots were thought of.
    if settings.window.enabled and not settings.audio.offline and snapshots != Path():
        check_place(snapshots / "snapshot.png", "snapshot")


def play_offline(settings: Settings) -> dict[str, Any]:
    """As fast as the machine can, on a virtual clock: the same result every time."""
    if settings.audio.source.partition(":")[0] in ("auto", "mic"):
        raise UserError(
            f"--offline needs a sound that is there already, got --audio {settings.audio.source}; name a file, or demo"
        )
    if not (settings.video.file or settings.osc.targets or settings.run.stats):
        raise UserError("--offline without --video, --osc or --stats has nothing to make; add --video FILE")
    clock = VirtualClock()
    sound = SoundFile(sound_path(settings.audio.source), settings.audio.block)
    ring = Ring(sound.rate, sound.channels)
    engine, stages = build_stages(settings, clock, ring, settings.video.file, live=False)
    with closing(engine):
        try:
            stages.faces.wait()
            blocks = sound.looped() if settings.audio.loop else sound.blocks()
            report = run_offline(stages, clock, ring, blocks, settings.video.fps, settings.run.seconds)
        except BaseException:  # Ctrl-C as well: half a video under the name of a whole one would mislead
            if stages.video:
                stages.video.discard()
            raise
    return {"engine": engine.description, "size": engine.size, **report}


def play_live(settings: Settings) -> dict[str, Any]:
    """In real time, until the window is closed, the sound has ended, or the time is over."""
    if hasattr(os, "nice"):
        # Drawing takes every core there is. A sound server of the same priority then loses seconds of sound on two cores
        # (seen with PulseAudio without real-time rights: 7.9 of 13.5 s, against none at this niceness, at more frames a second).
        os.nice(NICENESS)
    clock = MonotonicClock()
    screen = settings.window.enabled and has_screen()
    video_file = settings.video.file
    if settings.window.enabled and not screen and not video_file:
        video_file = Path(time.strftime("speech2expression-%Y%m%d-%H%M%S.mp4"))
        log.warning("no screen: the picture goes to the video file %s", video_file)
    source = open_source(settings, clock, looping=screen)
    try:
        engine, stages = build_stages(settings, clock, source.ring, video_file, live=True)
        with closing(engine):
            window = WindowOutput(settings.window, stages.faces.choose) if screen else None
            log.info("sound: %s", source.description)
            show = LiveShow(stages, source, window, settings.picture.fps)
            stop_at_signals(show.stop)
            report = show.run(settings.run.seconds)
    finally:
        source.close()
    return {"engine": engine.description, "size": engine.size, **report}


def stop_at_signals(stop: Callable[[], None]) -> None:
    """The first Ctrl-C, SIGTERM or SIGHUP calls `stop`, which waits for every stage; a second one does what it did before: the
    renderer may be building an engine for minutes. Not so SIGHUP: it comes twice, from the kernel and from the shell."""

    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in (signal.SIGINT, *ending_signals())}

    def first(number: int, _: object) -> None:
        if number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, before[signal.Signals(number)])
        stop()

    for number in before:
        signal.signal(number, first)


def open_source(settings: Settings, clock: Clock, *, looping: bool) -> Source:
    """The sound that `audio.source` means. Only `auto` ever takes another than was asked for, and says so."""
    wanted, _, device = settings.audio.source.partition(":")
    if wanted in ("mic", "auto"):
        try:
            return Microphone(device, clock, settings.audio.block)
        except UserError as error:
            if wanted == "mic":
                raise
            log.warning("no microphone (%s): the bundled voice plays instead", str(error).partition(";")[0])
            return PlayingFile(
                SoundFile(DEMO_VOICE, settings.audio.block),
                clock,
                loop=looping or settings.audio.loop,
                aloud=settings.audio.speaker,
            )
    sound = SoundFile(sound_path(settings.audio.source), settings.audio.block)
    return PlayingFile(sound, clock, loop=settings.audio.loop, aloud=settings.audio.speaker)


def sound_path(source: str) -> Path:
    """The file that `audio.source` names."""
    return DEMO_VOICE if source == "demo" else Path(source)


def build_stages(
    settings: Settings, clock: Clock, ring: Ring, video_file: Path | None, *, live: bool
) -> tuple[LastingEngine, Stages]:
    """Everything between the ring and the outputs."""
    stats = Stats()
    osc = OscOutput(settings.osc) if settings.osc.targets else None  # first: a host that nobody knows is found at once
    classifier = open_classifier(settings.hearing, live=live)
    generator, faces = open_generator(settings, clock)
    size, backend = size_for(generator, settings.picture.size), settings.picture.backend
    quality = settings.picture.quality
    if quality == "auto":  # offline nobody waits, and the same sound makes the same pictures on every machine
        quality = live_quality(generator, size, backend) if live else "fine"
    engine = LastingEngine(partial(open_backend, generator, size, quality=quality), backend, list(BACKENDS))
    engine.warm_up()
    if engine.name != "torch":
        # The listener's small networks gain nothing from a second core, and would take it from the engine.
        torch.set_num_threads(1)
    express = Express(settings.expression)
    return engine, Stages(
        clock,
        Listener(ring, classifier, ProsodyTracker(), settings.audio.gain, live=live),
        express,
        Drawer(express, faces.on_show, engine, clock, stats),
        faces,
        stats,
        VideoOutput(video_file, engine.size, settings.video.fps, ring, clock.now()) if video_file else None,
        osc,
    )


def open_generator(settings: Settings, clock: Clock) -> tuple[Generator, Faces | OwnFaces]:
    """The default generator with its faces, or the user's own."""
    if settings.picture.generator is None:
        default = load_default_generator()
        return default, Faces(settings.face, default, clock)
    source, label = settings.picture.generator, settings.picture.label
    own = load_generator(source, label)
    return own, OwnFaces(settings.face, source, label, own, clock, learn_and_save)


def size_for(generator: Generator, wanted: int) -> int:
    """The largest size that the generator draws and that is not larger than `wanted` pixels, else its smallest."""
    sizes = generator.sizes
    size = max((size for size in sizes if size <= wanted), default=min(sizes))
    if size != wanted:
        log.info("the generator draws no %d²; it draws %d²", wanted, size)
    return size
