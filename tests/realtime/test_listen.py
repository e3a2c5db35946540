"""The listener: what comes out depends on the samples alone, and every value carries the time it speaks of."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.emotion.hearing import Hearing
from models.emotion.prosody import Prosody as Measured
from models.errors import UserError
from realtime.listen import EMOTION_HOP, PROSODY_HOP, Listener, open_classifier
from realtime.settings import Hearing as HearingSettings
from realtime.sound.resample import LISTENING_RATE
from realtime.sound.ring import Ring
from realtime.values import Heard, Prosody


class LoudnessClassifier:
    """Hears "angry" as loudly as the hop is."""

    def step(self, samples: np.ndarray) -> Hearing:
        assert samples.shape == (EMOTION_HOP,)
        loudness = np.float32(np.abs(samples).mean())
        return Hearing(np.array([loudness, 1 - loudness, 0, 0, 0], np.float32), 1.0, True, float(loudness), -float(loudness))


class MeanTracker:
    """Reports the mean sample as the level."""

    def step(self, samples: np.ndarray) -> Measured:
        assert samples.shape == (PROSODY_HOP,)
        return Measured(float(samples.mean()), 0.0, 0.0, 0.0)


def listen(signal: np.ndarray, blocks: list[int], rate: int) -> list[Heard | Prosody]:
    ring = Ring(rate, signal.shape[1])
    listener = Listener(ring, LoudnessClassifier(), MeanTracker())
    values: list[Heard | Prosody] = []
    position = 0
    for n in [*blocks, len(signal)]:
        block = signal[position : position + n]
        position += len(block)
        ring.write(block, position / rate)
        values += listener.step()
    return values


def signal(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (int(seconds * rate), channels)).astype(np.float32)


def test_prosody_every_20_ms_and_emotion_every_100_ms_at_their_times() -> None:
    values = listen(signal(1.0, LISTENING_RATE), [1000] * 10, LISTENING_RATE)
    assert [v.t for v in values if isinstance(v, Prosody)] == pytest.approx(np.arange(1, 51) / 50)
    assert [v.t for v in values if isinstance(v, Heard)] == pytest.approx(np.arange(1, 11) / 10)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 9000), max_size=20), st.sampled_from([(16_000, 1), (44_100, 2)]))
def test_blocks_do_not_matter(blocks: list[int], shape: tuple[int, int]) -> None:
    rate, channels = shape
    sound = signal(2.0, rate, channels)
    whole, parts = listen(sound, [], rate), listen(sound, blocks, rate)
    assert len(whole) == len(parts)
    for a, b in zip(whole, parts, strict=True):
        assert type(a) is type(b)
        assert a.t == pytest.approx(b.t, abs=1e-9)
        if isinstance(a, Heard) and isinstance(b, Heard):
            np.testing.assert_allclose(a.probabilities, b.probabilities, atol=1e-6)


def test_arousal_and_valence_glide_from_verdict_to_verdict_every_20_ms() -> None:
    """Of a verdict that stays the same: 0.5 and -0.5 from 0.1 s on."""
    values = listen(np.full((16_000, 1), 0.5, np.float32), [], 16_000)
    way = np.array([(value.arousal, value.valence) for value in values if isinstance(value, Prosody)])
    assert not way[:5].any(), "nothing was heard yet"
    assert (np.diff(way[5:10, 0]) > 0.01).all(), "each 20 ms brings it nearer"
    assert way[9] == pytest.approx([0.45, -0.45], abs=0.01) and way[-1] == pytest.approx([0.5, -0.5], abs=0.001)


def test_a_click_is_reported_with_the_time_at_which_it_was_captured() -> None:
    rate = 48_000
    sound = np.zeros((rate * 2, 1), np.float32)
    sound[round(1.234 * rate)] = 1.0
    prosody = [v for v in listen(sound, [960] * 99, rate) if isinstance(v, Prosody)]
    click = max(prosody, key=lambda value: abs(value.level_db))
    assert 1.234 <= click.t <= 1.234 + 0.021


def test_a_listener_that_came_too_late_knows_what_it_lost() -> None:
    ring = Ring(16_000, 1, seconds=1.0)
    listener = Listener(ring, LoudnessClassifier(), MeanTracker())
    for k in range(3):
        ring.write(signal(0.5, 16_000), 0.5 * (k + 1))
    values = list(listener.step())
    assert listener.lost == 8000
    assert values[0].t == pytest.approx(0.52)


def test_live_what_is_too_late_is_skipped_and_counted() -> None:
    ring = Ring(16_000, 1)
    listener = Listener(ring, LoudnessClassifier(), MeanTracker(), live=True)
    ring.write(signal(0.9, 16_000), 0.9)
    assert next(v.t for v in list(listener.step())) == pytest.approx(0.02) and listener.lost == 0
    ring.write(signal(3.0, 16_000), 3.9)
    times = [value.t for value in listener.step()]
    assert times[0] == pytest.approx(3.82) and times[-1] == pytest.approx(3.9)
    assert listener.lost == 16_000 * 2.9


def test_a_profile_is_for_the_programs_own_listener(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leave out --voice-profile"):
        open_classifier(HearingSettings(classifier=tmp_path / "own.onnx", voice_profile=tmp_path / "ada.voice"))
    with pytest.raises(UserError, match="no classifier at"):
        open_classifier(HearingSettings(classifier=tmp_path / "own.onnx"))
