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


def recorded(file: Path, sound: SoundFile) -> np.ndarray:
    """What the sound server receives while the beginning of the file plays, eight seconds long."""
    record = ["parec", "-d", "voice.monitor", "--rate", str(sound.rate), "--channels", "1", "--format", "float32le"]
    with file.open("wb") as stream:
        recorder = subprocess.Popen(record, stdout=stream, env=os.environ)
        source = PlayingFile(sound, MonotonicClock())
        source.start()
        time.sleep(8)
        source.close()
        recorder.kill()
        recorder.wait()
    return np.fromfile(file, np.float32)


def likeness(heard: np.ndarray, original: np.ndarray) -> float:
    """Best correlation of loudness with any stretch of the file, from the first sound on: a server that starts late misses
    what was due before. Up to six seconds long; 0 below three."""
    heard = heard[int(np.argmax(heard > 0.01)) :][:600]
    n = len(heard)
    if n <= 300:
        return 0.0
    return max(float(np.corrcoef(heard, original[k : k + n])[0, 1]) for k in range(len(original) - n))


def test_what_is_heard_is_the_file(sound_server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once in three times: on a busy machine the sound server itself is late."""
    for key, value in sound_server.environment.items():
        monkeypatch.setenv(key, value)
    sound = SoundFile(DEMO_VOICE)
    original = loudness(np.concatenate(list(sound.blocks())).mean(axis=1), sound.rate)
    found: list[float] = []
    while len(found) < 3 and max(found, default=0.0) <= 0.9:
        found.append(likeness(loudness(recorded(tmp_path / "heard.raw", sound), sound.rate), original))
    assert max(found) > 0.9, found
