"""Real parts for whole shows: a sound server with a null sink, a virtual screen, the program itself as a process."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def need(*commands: str) -> None:
    """Skip the test, naming the commands that are missing."""
    missing = [command for command in commands if shutil.which(command) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (make test installs them where it may)")


class Program:
    """run_live.py as a user starts it."""

    def __init__(self, arguments: list[str], environment: dict[str, str], folder: Path) -> None:
        self._log = (folder / "program.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "run_live.py"), *arguments],
            env=environment,
            cwd=folder,
            stdout=self._log,
            stderr=self._log,
        )

    @property
    def log(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def wait_for(self, text: str, seconds: float = 120) -> None:
        """Until the program has said `text`."""
        end = time.monotonic() + seconds
        while text not in self.log:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log}"
            assert time.monotonic() < end, f"{text!r} was not said:\n{self.log}"
            time.sleep(0.1)

    def end(self) -> int:
        """Ask it to stop, as a service manager does; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[type]:
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


class SoundServer:
    """PulseAudio with one null sink, `voice`: what plays into it, a microphone hears."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.environment = {
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SOURCE": "voice.monitor",
            "PULSE_SINK": "voice",
            "HOME": str(folder),
        }

    def start(self) -> None:
        # In the foreground, as a child, so that nothing survives the test.
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--load=module-native-protocol-unix"]
        self._process = subprocess.Popen(
            [*command, "--load=module-null-sink sink_name=voice"],
            env=os.environ | self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 30
        while subprocess.run(["pactl", "info"], env=os.environ | self.environment, capture_output=True).returncode:
            assert time.monotonic() < end, "PulseAudio did not start"
            time.sleep(0.1)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        (self._folder / "pulse" / "pid").unlink(missing_ok=True)

    def play(self, file: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["paplay", str(file)], env=os.environ | self.environment)


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
    """A virtual screen; yields its DISPLAY."""
    need("Xvfb", "xdotool", "ffmpeg")
    reader, writer = os.pipe()
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x1024x24"], pass_fds=[writer], stderr=subprocess.DEVNULL
    )
    os.close(writer)
    with os.fdopen(reader) as pipe:
        display = f":{pipe.readline().strip()}"
    yield display
    process.kill()
    process.wait()
