"""What a user can get wrong is told before anything opens."""

import os
import signal
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest

from models import files
from models.errors import UserError
from realtime import build
from realtime.build import stop_at_signals
from realtime.settings import load


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--osc", "x"], "HOST:PORT"),
        (["--face", "seed:-1"], "seed:N"),
        (["--label", "3"], "add --generator"),
        (["--truncation", "0.5"], "add --generator"),
        (["--video", "face.gif"], "suffix"),
        (["--video", "none/face.mp4"], "does not exist"),
    ],
)
@pytest.mark.parametrize("way", [["--offline", "--stats", "a.json"], []])
def test_what_can_be_told_from_the_settings_is_told_first(
    monkeypatch: pytest.MonkeyPatch, way: list[str], arguments: list[str], says: str
) -> None:
    for name in ("SoundFile", "open_source", "build_stages"):
        monkeypatch.setattr(build, name, lambda *_, name=name, **__: pytest.fail(f"{name} was opened before"))
    settings, _ = load(["--audio", "demo", *way, *arguments])
    with pytest.raises(UserError, match=says):
        build.play(settings)


def test_a_loop_without_an_end_is_told_first() -> None:
    with pytest.raises(UserError, match="add --seconds N"):
        build.check(load(["--audio", "demo", "--offline", "--loop"])[0])
    build.check(load(["--audio", "demo", "--offline", "--loop", "--seconds", "60"])[0])
    build.check(load(["--audio", "demo", "--loop"])[0])


@pytest.mark.parametrize(("words", "lasts"), [(["--loop", "--seconds", "60"], True), ([], False)])
def test_offline_a_sound_begins_again_where_that_is_asked(monkeypatch: pytest.MonkeyPatch, words: list[str], lasts: bool) -> None:
    engine = SimpleNamespace(close=lambda: None, description="", size=256)
    stages = SimpleNamespace(faces=SimpleNamespace(wait=lambda: None), video=None)
    monkeypatch.setattr(build, "build_stages", lambda *_, **__: (engine, stages))
    monkeypatch.setattr(build, "run_offline", lambda _stages, _clock, _ring, blocks, *_: {"blocks": list(islice(blocks, 1500))})
    settings, _ = load(["--audio", "demo", "--offline", "--stats", "a.json", *words])  # the voice has 1280 blocks of 20 ms
    assert (len(build.play_offline(settings)["blocks"]) == 1500) == lasts


def test_a_folder_for_snapshots_that_does_not_exist_is_told_first_where_there_is_a_window() -> None:
    arguments = ["--set", "window.snapshots=none"]
    with pytest.raises(UserError, match="the folder none does not exist"):
        build.check(load(arguments)[0])
    build.check(load([*arguments, "--no-window"])[0])
    build.check(load([*arguments, "--offline"])[0])


def test_an_unknown_host_is_told_before_any_network_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "open_classifier", lambda *_, **__: pytest.fail("the classifier was opened before"))
    settings, _ = load(["--audio", "demo", "--offline", "--osc", "no-such-host.invalid:9"])
    with pytest.raises(UserError, match="not known"):
        build.play(settings)


@pytest.mark.parametrize("way", [["--offline"], []])
def test_what_is_outdated_in_the_cache_is_gone_when_a_show_begins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: list[str]
) -> None:
    monkeypatch.setattr(files.platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    old = files.cache_folder("graphs") / "old.onnx"
    old.touch()
    os.utime(old, (0, 0))
    for name in ("play_offline", "play_live"):
        monkeypatch.setattr(build, name, lambda _: {"old": old.exists()})
    settings, _ = load(["--audio", "demo", *way])
    assert build.play(settings) == {"old": False}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_the_show_and_the_second_ends_it(number: signal.Signals) -> None:
    asked: list[str] = []
    outside = {one: signal.signal(one, signal.default_int_handler) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        stop_at_signals(lambda: asked.append("stop"))
        signal.raise_signal(number)
        assert asked == ["stop"]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert asked == ["stop"]
    finally:
        for one, before in outside.items():
            signal.signal(one, before)


@pytest.mark.usefixtures("in_a_terminal")
def test_a_terminal_that_closes_stops_the_show_however_often_it_says_so() -> None:
    asked: list[str] = []
    outside = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        stop_at_signals(lambda: asked.append("stop"))
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        assert asked == ["stop", "stop"]
    finally:
        for one, before in outside.items():
            signal.signal(one, before)


def test_a_show_under_nohup_outlives_its_terminal() -> None:
    outside = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop_at_signals(lambda: pytest.fail("the show was stopped"))
        signal.raise_signal(signal.SIGHUP)
    finally:
        for one, before in outside.items():
            signal.signal(one, before)
