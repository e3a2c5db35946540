"""From hearing to controls: two lanes, smooth in seconds, at rest when nobody speaks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.labels import EMOTIONS, NEUTRAL
from realtime.express import DEAF_AFTER, SURE, Express, emotion_target, excitement
from realtime.mouth import UNCONFIRMED, LevelRange, Mouth
from realtime.settings import Expression
from realtime.values import Controls, Heard, Prosody

HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")
STILL = Expression(life=0, attack=0.5, release=1.0, hold=1.0)


def heard(t: float, emotion: int, *, speaking: bool = True, confidence: float = 1.0) -> Heard:
    return Heard(t, np.eye(5, dtype=np.float32)[emotion], confidence if speaking else 0.0, speaking, 0.0, 0.0)


def speech(t: float, level_db: float = -20.0) -> Prosody:
    return Prosody(t, level_db, 200.0, 1.0)


def silence(t: float) -> Prosody:
    return Prosody(t, -80.0, 0.0, 0.0)


def play(express: Express, *, until: float, fps: float, voice: tuple[float, float], emotion: int = HAPPY) -> list[Controls]:
    """A voice of one emotion from voice[0] to voice[1], frames at `fps`."""
    frames, n = [], round(until * 50)
    events = [(k / 50, k) for k in range(n)] + [(k / fps, -1) for k in range(round(until * fps))]
    for t, k in sorted(events):
        speaking = voice[0] <= t < voice[1]
        if k < 0:
            frames.append(express.step(t))
        else:
            express.feel(speech(t) if speaking else silence(t))
            if k % 5 == 0:
                express.hear(heard(t, emotion, speaking=speaking))
    return frames


def test_the_face_follows_the_voice_and_lets_go() -> None:
    frames = play(Express(STILL), until=6.0, fps=50, voice=(1.0, 3.0))
    happy = np.array([frame.emotion[HAPPY] for frame in frames])
    assert happy[:50].max() == 0.0
    assert happy[75] == pytest.approx(0.9, abs=0.02)  # attack: 0.5 s to 90 %
    assert happy[145] > 0.99
    assert happy[190] > 0.99  # held for 1 s after the voice
    assert happy[-1] < 0.05


@pytest.mark.parametrize("fps", [10, 24, 60, 120])
def test_any_frame_rate_sees_the_same_motion(fps: float) -> None:
    slow = play(Express(Expression()), until=5.0, fps=fps, voice=(1.0, 2.5))
    fast = play(Express(Expression()), until=5.0, fps=240, voice=(1.0, 2.5))
    by_time = {round(frame.t, 6): frame for frame in fast}
    shared = [(frame, by_time[round(frame.t, 6)]) for frame in slow if round(frame.t, 6) in by_time]
    assert len(shared) >= 45
    for a, b in shared:
        np.testing.assert_allclose(a.emotion, b.emotion, atol=1e-6)
        assert a.rig == pytest.approx(b.rig, abs=1e-9)


def test_the_mouth_moves_within_a_block_and_closes_in_silence() -> None:
    frames = play(Express(STILL), until=3.0, fps=50, voice=(1.0, 2.0))
    opening = np.array([frame.rig["mouth_open"] for frame in frames])
    assert opening[:50].max() == 0.0
    assert opening[53] > 0.5  # 60 ms after the onset
    assert opening[113:].max() < 0.05  # closed 250 ms after the end


def test_onset_is_told_once() -> None:
    frames = play(Express(STILL), until=3.0, fps=50, voice=(1.0, 2.0))
    assert [round(frame.t, 2) for frame in frames if frame.onset] == [1.02]


def test_a_lost_microphone_is_rest() -> None:
    express = Express(STILL)
    for k in range(50):
        express.feel(speech(k / 50))
        express.hear(heard(k / 50, SAD))
    assert express.step(1.0).emotion[SAD] > 0.5
    rested = express.step(1.0 + DEAF_AFTER + 4.0)
    assert rested.emotion[NEUTRAL] > 0.99
    assert rested.rig["mouth_open"] < 0.01
    assert rested.heard is None


def test_doubt_is_shown_weakly() -> None:
    sure, unsure = emotion_target(heard(0, SAD, confidence=0.9)), emotion_target(heard(0, SAD, confidence=0.03))
    assert sure[SAD] > 0.8
    assert unsure[SAD] < 0.3
    assert unsure[NEUTRAL] > 0.7


def test_life_can_be_turned_off_and_is_the_same_for_the_same_seed() -> None:
    def rigs(**settings: float) -> list[dict[str, float]]:
        return [frame.rig for frame in play(Express(Expression(**settings)), until=10, fps=30, voice=(20, 21))]

    assert all(not any(rig.values()) for rig in rigs(life=0))
    assert rigs(seed=1) == rigs(seed=1)
    assert rigs(seed=1) != rigs(seed=2)
    assert max(rig["blink"] for rig in rigs(seed=1)) > 0.5


@given(st.lists(st.tuples(st.floats(0.001, 2.0), st.floats(-90, 0), st.integers(0, 4), st.booleans()), max_size=40))
def test_whatever_is_heard_the_five_add_up_to_one_and_nothing_leaves_its_range(
    events: list[tuple[float, float, int, bool]],
) -> None:
    express, t = Express(Expression()), 0.0
    for dt, level, emotion, speaking in events:
        t += dt
        express.feel(Prosody(t, level, 0.0, 0.5))
        express.hear(heard(t, emotion, speaking=speaking, confidence=0.5))
        controls = express.step(t)
        assert controls.emotion.sum() == pytest.approx(1.0, abs=1e-5)
        assert controls.emotion.min() >= 0
        assert all(-1 <= value <= 1 for value in controls.rig.values())


@pytest.mark.parametrize("hole", [0.0, 60.0])
def test_a_voice_behind_a_hole_opens_the_mouth_as_soon_as_any_other(hole: float) -> None:
    mouth = Mouth()
    for k in range(100):
        mouth.feel(silence(k / 50))
    mouth.rest(2.0)
    for k in range(10):
        mouth.feel(speech(2.0 + hole + k / 50))
    assert mouth.at(2.2 + hole) > 0.5


def test_a_steady_noise_that_is_no_voice_does_not_hold_the_mouth_open() -> None:
    mouth = Mouth()
    for k in range(20):
        mouth.feel(silence(k / 50))
    opening = []
    for k in range(20, 100):
        mouth.feel(Prosody(k / 50, -20.0, 0.0, 0.0))
        opening.append(mouth.at(k / 50))
    assert max(opening[: round(UNCONFIRMED * 50)]) > 0.3
    assert opening[-1] < 0.01


@pytest.mark.parametrize("gain", [-15.0, 0.0, 20.0])
def test_the_level_range_finds_any_microphone(gain: float) -> None:
    levels, k = LevelRange(), 0
    loud = quiet = 0.0
    for _ in range(12):
        for _ in range(25):
            loud = levels.step(k / 50, -32.0 + gain, True)
            k += 1
        for _ in range(25):
            quiet = levels.step(k / 50, -72.0 + gain, False)
            k += 1
    assert loud > 0.6
    assert quiet < 0.1


def test_what_is_expressed_weakly_is_shown_weakly() -> None:
    def shown(intensity: float) -> float:
        certain = np.eye(5, dtype=np.float32)[HAPPY]
        return float(emotion_target(Heard(0.0, certain, 1.0, True, 0.0, 0.0, intensity))[HAPPY])

    assert shown(0.0) < shown(0.25) < shown(0.5) == shown(1.0) == pytest.approx(1.0)


@pytest.mark.parametrize("room", [-70.0, -55.0, -45.0])
def test_a_note_that_is_held_keeps_the_mouth_open(room: float) -> None:
    mouth = Mouth()
    for k in range(200):
        mouth.feel(Prosody(k / 50, room, 0.0, 0.0))
    mouth.speaking(True)
    opening = []
    for k in range(200, 200 + 15 * 50):
        mouth.feel(Prosody(k / 50, -20.0, 220.0, 1.0))
        opening.append(mouth.at(k / 50))
    assert min(opening[25:]) > 0.5


def test_a_room_that_became_louder_closes_the_mouth_in_the_end() -> None:
    mouth = Mouth()
    for k in range(60 * 50):
        mouth.feel(Prosody(k / 50, -70.0 if k < 200 else -45.0, 0.0, 0.0))
    mouth.speaking(True)
    for k in range(60 * 50, 61 * 50):
        mouth.feel(Prosody(k / 50, -45.0, 0.0, 0.0))
    assert mouth.at(61) < 0.1


@pytest.mark.parametrize("confidence", [0.0, SURE / 2, SURE, 1.0])
def test_where_the_emotion_is_unsure_the_face_has_the_voices_arousal(confidence: float) -> None:
    """Nothing where it is sure."""
    flat = np.array([0.3, 0.2, 0.2, 0.2, 0.1], np.float32)

    def shown(arousal: float) -> Controls:
        express = Express(Expression(life=0, mouth=0.5))
        for k in range(200):
            express.feel(speech(k / 50))
            if k % 5 == 0:
                express.hear(Heard(k / 50, flat, confidence, True, arousal, 0.0))
        return express.step(4.0)

    calm, plain, excited = (shown(arousal) for arousal in (-1.0, 0.0, 1.0))
    opened = [frame.rig["mouth_open"] for frame in (calm, plain, excited)]
    lifted = [frame.rig["brow_up"] for frame in (calm, plain, excited)]
    neutral = [frame.emotion[NEUTRAL] for frame in (calm, plain, excited)]
    if confidence >= SURE:
        assert max(opened) - min(opened) < 1e-6
        assert max(lifted) - min(lifted) < 1e-6
        assert max(neutral) - min(neutral) < 1e-6
    else:
        assert opened[0] < opened[1] < opened[2]
        assert lifted[0] == pytest.approx(lifted[1], abs=1e-6)
        assert lifted[2] > lifted[1] + 0.05
    if confidence == SURE / 2:
        assert neutral[0] > neutral[1] > neutral[2]


@given(st.floats(0, 1), st.floats(-1, 1), st.floats(0, 1))
def test_targets_are_probabilities_whatever_is_heard(confidence: float, arousal: float, intensity: float) -> None:
    value = Heard(0.0, np.array([0.6, 0.1, 0.1, 0.1, 0.1], np.float32), confidence, True, arousal, 0.0, intensity)
    target = emotion_target(value)
    assert target.sum() == pytest.approx(1.0)
    assert target.min() >= 0
    assert abs(excitement(value)) <= abs(arousal)
