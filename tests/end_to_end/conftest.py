"""Fixtures that bring the real parts and see to it that none is left running."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from parts import Program, SoundServer, need


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts programs and sees to it that none is left."""
    running: list[Program] = []

    def start(*arguments: str, **environment: str) -> Program:
        # Without DISPLAY and sound server of the machine: a test only meets the parts it brings.
        clean = {
            key: value
            for key, value in os.environ.items()
            if key not in ("DISPLAY", "WAYLAND_DISPLAY", "PULSE_SERVER", "XDG_RUNTIME_DIR")
        }
        folder = tmp_path / f"run{len(running)}"
        folder.mkdir()
        running.append(Program(list(arguments), clean | environment, folder))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


@pytest.fixture
def sound_server(tmp_path: Path) -> Iterator[SoundServer]:
    need("pulseaudio", "pactl", "paplay")
    folder = tmp_path / "pulse"
    folder.mkdir(mode=0o700)
    server = SoundServer(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def screen() -> Iterator[str]:
    """A virtual screen with a window manager; yields its DISPLAY."""
    need("Xvfb", "openbox", "xdotool", "ffmpeg")
    reader, writer = os.pipe()
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x1024x24"], pass_fds=[writer], stderr=subprocess.DEVNULL
    )
    os.close(writer)
    with os.fdopen(reader) as pipe:
        display = f":{pipe.readline().strip()}"
    window_manager = subprocess.Popen(["openbox"], env=os.environ | {"DISPLAY": display}, stderr=subprocess.DEVNULL)
    yield display
    window_manager.kill()
    window_manager.wait()
    process.kill()
    process.wait()
