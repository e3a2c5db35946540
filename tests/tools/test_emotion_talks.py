"""Talk made of clips, and the figures of what a face shows of it."""

from pathlib import Path

import numpy as np
import pytest

from models.labels import EMOTIONS, NEUTRAL
from realtime.settings import Expression
from realtime.values import Heard
from tools import emotion_talks
from tools.emotion_corpus import Clip
from tools.emotion_talks import AFTER, BEFORE, Talk, by_attack, change_figures, steady_figures, time_to_label
from tools.skipped import Skipped

ANGRY, SAD = EMOTIONS.index("angry"), EMOTIONS.index("sad")
AT_ONCE = Expression(attack=0.0, release=0.0)
CLIP = Clip(Path("a.wav"), "one", "ada", ANGRY)


def talk(before: int, emotion: int, onset: float, seconds: float) -> Talk:
    return Talk(CLIP, np.zeros(int(seconds * 16_000), np.float32), before, emotion, onset)


def verdicts(labels: list[int]) -> list[Heard]:
    """One every 100 ms, sure of itself."""
    return [Heard(0.1 * (k + 1), np.eye(5, dtype=np.float32)[label], 1.0, True, 0.0, 0.0) for k, label in enumerate(labels)]


def test_time_to_the_right_label_counts_from_the_change() -> None:
    one = talk(SAD, ANGRY, 1.0, 3.0)
    assert time_to_label(one, np.array([ANGRY] * 10 + [SAD] * 7 + [ANGRY] * 3)) == pytest.approx(0.8)
    assert time_to_label(one, np.array([SAD] * 20)) == np.inf


def test_figures_of_changes() -> None:
    talks = [talk(SAD, ANGRY, 1.0, 5.0), talk(ANGRY, SAD, 1.0, 5.0)]
    quick = verdicts([SAD] * 12 + [ANGRY] * 38)
    never = verdicts([ANGRY] * 50)
    found = change_figures(talks, [quick, never], AT_ONCE)
    assert found["arrives"] == 0.5 and found["median_seconds_of_those_that_arrive"] == pytest.approx(0.3, abs=0.11)
    assert found["uar_heard"] == {"0.5": 0.5, "1.0": 0.5, "1.5": 0.5, "2.0": 0.5, "3.0": 0.5}
    both = change_figures(talks[:1], [quick], AT_ONCE)
    assert both["median_seconds"] == pytest.approx(0.3, abs=0.11) and both["uar_heard"]["0.5"] == 1.0


def test_most_changes_never_seen_have_no_median() -> None:
    talks = [talk(ANGRY, SAD, 1.0, 5.0)] * 3
    assert change_figures(talks, [verdicts([ANGRY] * 50)] * 3, AT_ONCE)["median_seconds"] is None


def test_only_changes_to_a_wrong_label_count() -> None:
    steady = talk(ANGRY, ANGRY, 0.0, 6.0)
    heard = verdicts([ANGRY] * 15 + [SAD] * 15 + [ANGRY] * 15 + [SAD] * 15)
    found = steady_figures([steady], [heard], AT_ONCE)
    assert found["wrong_changes_a_minute"] == pytest.approx(20.0)  # twice in six seconds
    assert found["wrong_changes_a_minute_in"] == {"angry": pytest.approx(20.0)}


def test_share_of_neutral_talk_that_looks_neutral() -> None:
    heard = verdicts([NEUTRAL] * 30 + [SAD] * 10)
    shares = steady_figures([talk(NEUTRAL, NEUTRAL, 0.0, 4.0)], [heard], AT_ONCE)["shown_in_neutral_speech"]
    assert shares["neutral"] == pytest.approx(0.75, abs=0.03) and shares["sad"] == pytest.approx(0.25, abs=0.03)
    assert sum(shares.values()) == pytest.approx(1.0)


def test_a_quicker_face_is_sooner_right_and_more_often_wrong() -> None:
    changing = [talk(SAD, ANGRY, 1.0, 5.0)], [verdicts([SAD] * 10 + [ANGRY] * 40)]
    flickering = [talk(ANGRY, ANGRY, 0.0, 6.0)], [verdicts(([ANGRY] * 8 + [SAD] * 2) * 6)]
    found = by_attack(changing, flickering, Expression())
    times, wrong = [row["median_seconds"] for row in found], [row["wrong_changes_a_minute"] for row in found]
    assert times == sorted(times) and times[0] < times[-1]
    assert wrong == sorted(wrong, reverse=True) and wrong[0] > wrong[-1]


@pytest.fixture
def clips(monkeypatch: pytest.MonkeyPatch) -> list[Clip]:
    """Three clips of 1 s for each of two emotions of a voice; the sample's value tells the emotion."""
    monkeypatch.setattr(
        emotion_talks.emotion_corpus, "speech_probabilities", lambda network, sounds: [[0.9] * (len(s) // 512) for s in sounds]
    )
    monkeypatch.setattr(emotion_talks, "decode", lambda path: np.full(16_384, float(path.stem[0]) + 1, np.float32))
    return [Clip(Path(f"{emotion}-{take}.wav"), "one", "ada", emotion) for emotion in (ANGRY, SAD) for take in range(3)]


def test_talks_change_where_they_say(clips: list[Clip]) -> None:
    talks = list(emotion_talks.changes(clips, 4, Skipped()))
    assert [found.emotion for found in talks] == [ANGRY, SAD, ANGRY, SAD]
    for found in talks:
        assert found.before != found.emotion and found.onset == pytest.approx(BEFORE)
        assert len(found.sound) == pytest.approx((BEFORE + AFTER) * 16_000)
        onset = round(found.onset * 16_000)
        assert found.sound[onset] == found.emotion + 1 and found.clip.emotion == found.emotion
        assert found.before + 1 in found.sound[:onset] and found.emotion + 1 not in found.sound[:onset]


def test_steady_talk_is_of_one_emotion(clips: list[Clip]) -> None:
    talks = list(emotion_talks.steady(clips, Skipped()))
    assert {found.emotion for found in talks} == {ANGRY, SAD}
    assert all(len(found.sound) == emotion_talks.STEADY * 16_000 for found in talks)
