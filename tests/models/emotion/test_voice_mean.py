"""The voice's running mean: it is learnt, it counts only after a while, and one emotion does not become the norm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.emotion.embedding import N_EMBEDDING
from models.emotion.voice_mean import VoiceMean, centre
from models.labels import EMOTIONS

EVERYONE = np.zeros(N_EMBEDDING, np.float32)
NEUTRAL = np.eye(5, dtype=np.float32)[EMOTIONS.index("neutral")]
ANGRY = np.eye(5, dtype=np.float32)[EMOTIONS.index("angry")]
SHIFTS = np.zeros((5, N_EMBEDDING), np.float32)
SHIFTS[EMOTIONS.index("angry")] = 2.0


def talk(mean: VoiceMean, value: float, seconds: float, verdict: np.ndarray) -> None:
    for _ in range(int(seconds * 10)):
        mean.add(np.full(N_EMBEDDING, value, np.float32), 10.0, verdict)


def test_a_voice_is_a_stranger_at_first_and_known_after_a_minute() -> None:
    mean = VoiceMean(EVERYONE, SHIFTS)
    assert mean.centre()[1] == 0.0
    talk(mean, 2.0, 1.0, NEUTRAL)
    subtracted, known = mean.centre()
    assert known == 0.0 and np.array_equal(subtracted, EVERYONE)
    talk(mean, 2.0, 60.0, NEUTRAL)
    subtracted, known = mean.centre()
    assert known > 0.85
    assert subtracted[0] == pytest.approx(2.0, rel=0.2)


def test_a_minute_of_anger_is_not_taken_for_the_voice() -> None:
    calm, angry = VoiceMean(EVERYONE, SHIFTS), VoiceMean(EVERYONE, SHIFTS)
    talk(calm, 1.0, 60.0, NEUTRAL)
    talk(angry, 3.0, 60.0, ANGRY)
    assert np.allclose(calm.centre()[0], angry.centre()[0], atol=1e-3)
    unheard = VoiceMean(EVERYONE, SHIFTS)
    talk(unheard, 3.0, 60.0, NEUTRAL)
    assert unheard.centre()[0][0] > 2.0


def test_silence_teaches_nothing() -> None:
    mean = VoiceMean(EVERYONE, SHIFTS)
    talk(mean, 2.0, 20.0, NEUTRAL)
    before = mean.centre()
    mean.add(np.full(N_EMBEDDING, 50.0, np.float32), 0.0, ANGRY)
    assert np.array_equal(mean.centre()[0], before[0]) and mean.centre()[1] == before[1]


def test_memory_is_bounded_so_that_a_new_voice_is_learnt() -> None:
    mean = VoiceMean(EVERYONE, SHIFTS)
    talk(mean, 5.0, 600.0, NEUTRAL)
    talk(mean, 0.0, 300.0, NEUTRAL)
    assert mean.centre()[0][0] < 0.5


@settings(deadline=None)
@given(st.floats(0, 1e5), st.floats(-20, 20))
def test_the_more_is_heard_the_more_it_counts(frames: float, value: float) -> None:
    subtracted, known = centre(np.full(N_EMBEDDING, frames * value, np.float32), frames, EVERYONE)
    assert 0.0 <= known < 1.0
    assert np.all(np.abs(subtracted) <= abs(value) * known + 1e-3)
