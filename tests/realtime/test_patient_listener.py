"""A network that takes long holds nothing up: each hop has the newest verdict there is."""

import threading
from pathlib import Path

import numpy as np
import pytest
from loudness_classifier import write
from voices import turn

from models.emotion.own_classifier import HOP, OwnClassifier
from models.labels import EMOTIONS
from realtime.patient_listener import PatientListener

SILENCE = np.zeros(HOP, np.float32)


class Slow(OwnClassifier):
    """Answers when it is let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked, self.go, self.answered = 0, threading.Semaphore(0), threading.Semaphore(0)

    def probabilities(self, sound: np.ndarray) -> np.ndarray:
        self.asked += 1
        self.go.acquire()
        found = super().probabilities(sound)
        self.answered.release()
        return found


@pytest.fixture
def slow(tmp_path: Path) -> Slow:
    return Slow(write(tmp_path / "own.onnx"))


def hops(level: float, seconds: float) -> list[np.ndarray]:
    """A turn of the bundled voice, from the first hops that hold speech on."""
    voice = turn(1) * np.float32(level / np.sqrt(np.mean(turn(1) ** 2)))
    return [voice[i : i + HOP] for i in range(0, round(seconds * 10) * HOP, HOP)]


def test_hops_go_on_while_the_network_thinks_and_then_have_its_verdict(slow: Slow) -> None:
    patient = PatientListener(slow)
    voice = hops(0.2, 2.5)
    waiting = [patient.step(hop) for hop in voice[:15]]
    assert slow.asked == 1 and all(h.confidence == 0.0 for h in waiting)
    assert any(h.speaking for h in waiting), "voice activity waits for nothing"
    slow.go.release(100)
    slow.answered.acquire()
    heard = [patient.step(hop) for hop in voice[15:]]
    assert heard[-1].confidence > 0.0 and EMOTIONS[int(heard[-1].probabilities.argmax())] == "angry"


@pytest.mark.parametrize("late", [False, True])
def test_a_verdict_on_what_was_said_before_a_silence_is_none_on_what_comes(slow: Slow, late: bool) -> None:
    """It was there before the silence, or comes after it."""
    patient = PatientListener(slow)
    for hop in hops(0.2, 1.5):
        patient.step(hop)
    if not late:
        slow.go.release()
        slow.answered.acquire()
    assert [patient.step(SILENCE).confidence for _ in range(40)][-1] == 0.0
    quiet = [patient.step(hop) for hop in hops(0.01, 1.0)]
    if late:
        slow.go.release()
        slow.answered.acquire()
    quiet += [patient.step(hop) for hop in hops(0.01, 1.5)[10:]]
    assert all(h.confidence == 0.0 for h in quiet)
    slow.go.release(100)


def test_a_quick_network_is_heard_as_without(tmp_path: Path) -> None:
    plain, patient = OwnClassifier(write(tmp_path / "own.onnx")), PatientListener(OwnClassifier(tmp_path / "own.onnx"))
    both = [(plain.step(hop), patient.step(hop)) for hop in hops(0.2, 2.0)]
    assert all(a.speaking == b.speaking for a, b in both)
    assert [int(h.probabilities.argmax()) for h in both[-1]] == [EMOTIONS.index("angry")] * 2
