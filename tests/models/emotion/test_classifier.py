"""The streaming listener with its shipped weights: the bundled voice in, verdicts out."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.emotion import classifier as subject
from models.emotion.classifier import WEIGHTS, EmotionClassifier
from models.emotion.embedding import newest
from models.emotion.front_end import FrontEnd
from models.emotion.hearing import Hearing
from models.errors import UserError
from models.labels import EMOTIONS, NEUTRAL

HOP = EmotionClassifier.HOP
DEMO_VOICE = Path(subject.__file__).parents[2] / "realtime" / "sound" / "demo_voice.opus"


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """The first ten seconds of the bundled voice at 16 kHz."""
    with av.open(str(DEMO_VOICE)) as container:
        resampler = av.AudioResampler("fltp", "mono", 16_000)
        parts = [p.to_ndarray()[0] for frame in container.decode(audio=0) for p in resampler.resample(frame)]
    return np.concatenate(parts)[:160_000].astype(np.float32)


@pytest.fixture(scope="module")
def loaded() -> EmotionClassifier:
    return EmotionClassifier.load()


@pytest.fixture
def classifier(loaded: EmotionClassifier) -> EmotionClassifier:
    loaded.reset()
    return loaded


def listen(classifier: EmotionClassifier, sound: np.ndarray) -> Iterator[Hearing]:
    for start in range(0, len(sound) - HOP + 1, HOP):
        yield classifier.step(sound[start : start + HOP])


def same(a: Hearing, b: Hearing) -> bool:
    return a.probabilities.tobytes() == b.probabilities.tobytes() and (a.confidence, a.speaking, a.arousal, a.valence) == (
        b.confidence,
        b.speaking,
        b.arousal,
        b.valence,
    )


def test_hearing_is_in_its_ranges_and_somebody_speaks(classifier: EmotionClassifier, voice: np.ndarray) -> None:
    heard = list(listen(classifier, voice))
    for h in heard:
        assert h.probabilities.shape == (len(EMOTIONS),) and h.probabilities.dtype == np.float32
        assert float(h.probabilities.sum()) == pytest.approx(1.0, abs=1e-5) and float(h.probabilities.min()) >= 0.0
        assert 0.0 <= h.confidence <= 1.0 and -1.0 <= h.arousal <= 1.0 and -1.0 <= h.valence <= 1.0
    assert np.mean([h.speaking for h in heard]) > 0.5
    assert max(h.confidence for h in heard) > 0.1


def test_same_bits_after_reset(classifier: EmotionClassifier, voice: np.ndarray) -> None:
    first = list(listen(classifier, voice))
    classifier.reset()
    assert all(same(a, b) for a, b in zip(first, listen(classifier, voice), strict=True))


@pytest.mark.parametrize("gain_db", [0, -30])
@pytest.mark.parametrize("n_hops", [33, 47, 80])
def test_a_stream_hears_what_the_whole_window_holds(
    classifier: EmotionClassifier, voice: np.ndarray, n_hops: int, gain_db: int
) -> None:
    """Frames that were computed one hop at a time, the vectors made of them and the logits, within 1e-4 of those of the window
    computed at once."""
    sound = voice * np.float32(10 ** (gain_db / 20))
    for _ in listen(classifier, sound[: n_hops * HOP]):
        pass
    whole = FrontEnd().frame_features(torch.from_numpy(sound[n_hops * HOP - EmotionClassifier.WINDOW : n_hops * HOP]))
    assert torch.allclose(classifier._frames, whole, atol=1e-4)
    heard = classifier.window
    assert heard is not None
    mask = torch.from_numpy(subject._newest_utterance(classifier._speech()))[None]
    at_once = classifier.embed(whole[None], mask).over(torch.stack([mask, newest(mask)], dim=1))[0].detach().numpy()
    streamed = np.stack([heard.embedding, heard.newest])
    assert np.abs(at_once - streamed).max() < 1e-4
    logits = [classifier._judge(vectors, classifier.shares).logits for vectors in (at_once, streamed)]
    assert np.abs(logits[0] - logits[1]).max() < 1e-4


def test_level_of_the_microphone_does_not_matter(classifier: EmotionClassifier, voice: np.ndarray) -> None:
    plain = np.stack([h.probabilities for h in listen(classifier, voice)])
    for gain_db in (-20, 3):
        classifier.reset()
        other = np.stack([h.probabilities for h in listen(classifier, voice * np.float32(10 ** (gain_db / 20)))])
        assert np.mean(plain.argmax(1) == other.argmax(1)) > 0.85


@pytest.mark.parametrize("kind", ["silence", "noise", "hum", "chord", "clicks"])
def test_what_is_no_voice_is_no_emotion(classifier: EmotionClassifier, kind: str) -> None:
    rng, t = np.random.default_rng(0), np.arange(64_000) / 16_000
    sound = {
        "silence": np.zeros(64_000),
        "noise": rng.normal(0, 0.1, 64_000),
        "hum": 0.2 * np.sin(2 * np.pi * 50 * t) + 0.05 * np.sin(2 * np.pi * 150 * t),
        "chord": 0.1 * sum(np.sin(2 * np.pi * f * t) for f in (261.6, 329.6, 392.0)),
        "clicks": (rng.random(64_000) < 1e-4) * 0.9,
    }[kind]
    heard = list(listen(classifier, sound.astype(np.float32)))
    assert np.mean([h.probabilities.argmax() == NEUTRAL for h in heard]) == 1.0
    assert np.mean([h.confidence for h in heard]) < 0.02


def test_relaxes_to_neutral_when_the_voice_stops(classifier: EmotionClassifier, voice: np.ndarray) -> None:
    spoken = list(listen(classifier, voice[:48_000]))
    assert spoken[-1].confidence > 0.0
    after = list(listen(classifier, np.zeros(40 * HOP, np.float32)))
    confidences = [h.confidence for h in after]
    assert not after[5].speaking
    assert confidences[-1] == 0.0 and after[-1].probabilities[NEUTRAL] == 1.0 and after[-1].arousal == 0.0


def test_what_is_no_number_counts_as_silence(classifier: EmotionClassifier) -> None:
    bad = np.full(HOP, np.nan, np.float32)
    bad[::3] = np.inf
    assert [classifier.step(bad).confidence for _ in range(3)] == [0.0, 0.0, 0.0]


@given(st.integers(0, 4_000).filter(lambda n: n != HOP))
def test_other_block_sizes_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match="expected 1600 samples"):
        EmotionClassifier.step(object.__new__(EmotionClassifier), np.zeros(n, np.float32))


def test_new_utterance_stands_for_itself() -> None:
    speech = np.zeros(297, np.float32)
    speech[:60] = 1.0
    speech[200:230] = 1.0
    assert np.array_equal(subject._newest_utterance(speech), speech)  # too short yet
    speech[200:260] = 1.0
    kept = subject._newest_utterance(speech)
    assert kept[:60].sum() == 0 and kept[200:260].sum() == 60


def test_missing_weights_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no weights of the emotion classifier"):
        EmotionClassifier.load(tmp_path / "nothing.safetensors")


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_damaged_weights_are_one_clear_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = WEIGHTS.read_bytes()
    broken = data.draw(st.one_of(st.binary(max_size=200), st.integers(0, len(whole) - 1).map(lambda n: whole[:n])))
    path = tmp_path_factory.mktemp("weights") / "emotion.safetensors"
    path.write_bytes(broken)
    with pytest.raises(UserError, match="damaged"):
        EmotionClassifier.load(path)


def test_weights_are_small() -> None:
    assert WEIGHTS.stat().st_size <= 12e6
