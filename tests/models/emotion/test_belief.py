"""A belief follows clear verdicts soon, and single wrong ones not at all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.emotion.belief import Belief
from models.labels import EMOTIONS, NEUTRAL

HOP, WINDOW = 0.1, 3.0
UNDECIDED = np.zeros(len(EMOTIONS), np.float32)
ANGRY, HAPPY, SAD = (EMOTIONS.index(name) for name in ("angry", "happy", "sad"))


def says(emotion: int, sureness: float = 1.5) -> np.ndarray:
    return (np.eye(len(EMOTIONS), dtype=np.float32) * sureness)[emotion]


def after(belief: Belief, emotion: int, hops: int, sureness: float = 1.5) -> np.ndarray:
    for _ in range(hops):
        believed = belief.step(says(emotion, sureness), UNDECIDED, WINDOW, HOP, HOP, known=1.0)
    return believed


def test_steady_verdicts_add_up() -> None:
    belief = Belief()
    assert after(belief, HAPPY, 2)[HAPPY] < after(belief, HAPPY, 10)[HAPPY]
    assert after(belief, HAPPY, 20)[HAPPY] > 0.75


def test_a_few_wrong_verdicts_do_not_turn_it_but_a_second_of_them_does() -> None:
    belief = Belief()
    after(belief, HAPPY, 30)
    assert after(belief, ANGRY, 3).argmax() == HAPPY
    assert after(belief, ANGRY, 12).argmax() == ANGRY


def test_verdicts_without_new_speech_change_little() -> None:
    belief = Belief()
    before = after(belief, HAPPY, 20)
    for _ in range(10):
        paused = belief.step(says(ANGRY, 5.0), UNDECIDED, WINDOW, 0.0, HOP, known=1.0)
    assert paused.argmax() == HAPPY and before[HAPPY] - paused[HAPPY] < 0.2


def test_neutral_is_given_a_little_ahead() -> None:
    assert after(Belief(), NEUTRAL, 5)[NEUTRAL] > after(Belief(), HAPPY, 5)[HAPPY]
    assert Belief().step(UNDECIDED, UNDECIDED, WINDOW, HOP, HOP, known=1.0).argmax() == NEUTRAL


def test_more_is_believed_of_a_known_voice() -> None:
    stranger, known = (Belief().step(says(HAPPY), says(HAPPY), WINDOW, HOP, HOP, known=k) for k in (0.0, 1.0))
    assert 0.2 < stranger[HAPPY] < known[HAPPY] and stranger.argmax() == known.argmax() == HAPPY


def test_of_a_stranger_happiness_is_believed_less_than_sadness_and_of_a_known_voice_alike() -> None:
    stranger, known = (
        [Belief().step(says(emotion), says(emotion), WINDOW, HOP, HOP, known=k)[emotion] for emotion in (HAPPY, SAD)]
        for k in (0.0, 1.0)
    )
    assert stranger[0] < stranger[1]
    assert known[0] == pytest.approx(known[1], abs=1e-6)


def test_the_whole_window_counts_beside_what_added_up() -> None:
    belief = Belief()
    assert belief.step(says(HAPPY, 0.5), says(ANGRY, 3.0), WINDOW, HOP, HOP).argmax() == ANGRY
    after(belief, HAPPY, 40)
    assert belief.step(says(HAPPY, 0.5), says(ANGRY, 3.0), WINDOW, HOP, HOP).argmax() == HAPPY


def test_little_speech_is_judged_by_the_window_and_adds_up_to_little() -> None:
    belief = Belief()
    for _ in range(3):
        believed = belief.step(says(HAPPY), says(ANGRY), 0.5, HOP, HOP, known=1.0)
    assert believed.argmax() == ANGRY
    alone = np.exp(says(ANGRY)) / np.exp(says(ANGRY)).sum()
    assert believed == pytest.approx(alone, abs=0.02)


def test_a_minute_of_the_same_makes_it_sure_but_not_certain() -> None:
    believed = after(Belief(), HAPPY, 600, sureness=1.0)
    assert believed.argmax() == HAPPY and believed[HAPPY] < 0.99


def test_reset_forgets() -> None:
    belief = Belief()
    first = belief.step(says(HAPPY), UNDECIDED, WINDOW, HOP, HOP)
    after(belief, ANGRY, 30)
    belief.reset()
    assert np.array_equal(belief.step(says(HAPPY), UNDECIDED, WINDOW, HOP, HOP), first)


@given(arrays(np.float32, (40, 5), elements=st.floats(-60, 60, width=32)), st.floats(0, 3), st.floats(0, 0.1))
def test_probabilities_whatever_is_heard(verdicts: np.ndarray, speech: float, new_speech: float) -> None:
    belief = Belief()
    for logits in verdicts:
        believed = belief.step(logits, logits[::-1], speech, new_speech, HOP)
        assert believed.sum() == pytest.approx(1.0, abs=1e-5) and bool((believed >= 0).all())
