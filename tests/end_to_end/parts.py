"""Real parts for whole shows: a sound server with a null sink, a virtual screen, the program itself as a process."""

import os
import shutil
import signal
import subprocess
import sys
import time
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


class SoundServer:
    """PulseAudio with one null sink, `voice`: what plays into it, a microphone hears."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.environment = {
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SOURCE": "voice.monitor",
            "PULSE_SINK": "voice",
            "HOME": str(folder),
            # What the program keeps is not the server's: with an empty cache a show takes minutes to begin.
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
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
