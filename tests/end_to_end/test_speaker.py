"""A file that plays is heard: what a sound server receives is what the file holds, without gaps."""

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from realtime.clock import MonotonicClock
from realtime.sound.file import DEMO_VOICE, PlayingFile, SoundFile

pytestmark = pytest.mark.audio


def loudness(samples: np.ndarray, rate: int) -> np.ndarray:
    """Mean magnitude of every 10 ms."""
    n = rate // 100
    return np.abs(samples[: len(samples) // n * n]).reshape(-1, n).mean(axis=1)


def test_what_is_heard_is_the_file(sound_server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in sound_server.environment.items():
        monkeypatch.setenv(key, value)
    sound = SoundFile(DEMO_VOICE)
    record = ["parec", "-d", "voice.monitor", "--rate", str(sound.rate), "--channels", "1", "--format", "float32le"]
    with (tmp_path / "heard.raw").open("wb") as file:
        recorder = subprocess.Popen(record, stdout=file, env=os.environ)
        source = PlayingFile(sound, MonotonicClock())
        source.start()
        time.sleep(8)
        source.close()
        recorder.kill()
        recorder.wait()
    heard = loudness(np.fromfile(tmp_path / "heard.raw", np.float32), sound.rate)
    original = loudness(np.concatenate(list(sound.blocks())).mean(axis=1), sound.rate)
    first = int(np.argmax(heard > 0.01)) - int(np.argmax(original > 0.01))
    n = min(len(heard) - max(first, 0) - 5, 600)
    fits = [np.corrcoef(heard[shift : shift + n], original[:n])[0, 1] for shift in range(max(first - 5, 0), first + 6)]
    assert n > 300
    assert max(fits) > 0.9
