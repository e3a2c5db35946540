"""Profiles of a voice: what they change, how they are kept, and that wrong files are one clear error."""

from pathlib import Path

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from voices import demo_voice, turn

from models.emotion.classifier import EmotionClassifier
from models.emotion.embedding import N_EMBEDDING
from models.emotion.enrolment import Recording, enrol
from models.emotion.network import N_HIDDEN
from models.emotion.voice_profile import VoiceProfile
from models.errors import UserError
from models.labels import EMOTIONS

SECOND = 16_000
# Some stretches of the bundled voice, called angry, fear, ... at will: a profile learns what it is told.
STRETCHES = [(emotion, turn(emotion)) for emotion in range(len(EMOTIONS))]


@pytest.fixture(scope="module")
def classifier() -> EmotionClassifier:
    return EmotionClassifier.load()


@pytest.fixture(scope="module")
def guided(classifier: EmotionClassifier) -> VoiceProfile:
    return enrol(classifier, [Recording(sound, emotion) for emotion, sound in STRETCHES])


@pytest.fixture(scope="module")
def plain(classifier: EmotionClassifier) -> VoiceProfile:
    return enrol(classifier, [Recording(sound, None) for _, sound in STRETCHES])


def last_verdict(classifier: EmotionClassifier, sound: np.ndarray) -> np.ndarray:
    for start in range(0, len(sound) - classifier.HOP + 1, classifier.HOP):
        heard = classifier.step(sound[start : start + classifier.HOP])
    return heard.probabilities


def centre(classifier: EmotionClassifier) -> tuple[np.ndarray, float]:
    """What is subtracted, and how well the voice is known, with the adopted profiles wholly trusted."""
    return classifier._performers.centre(*classifier._voice.centre(), np.ones(classifier.shares.size))


def test_labelled_sentences_are_heard_as_they_were_labelled(classifier: EmotionClassifier, guided: VoiceProfile) -> None:
    heard = []
    for _, sound in STRETCHES:
        classifier.adopt(guided)
        heard.append(int(last_verdict(classifier, sound).argmax()))
    assert heard == [emotion for emotion, _ in STRETCHES]


def test_plain_talk_corrects_nothing_but_makes_the_voice_known(classifier: EmotionClassifier, plain: VoiceProfile) -> None:
    assert not plain.weight.any() and not plain.bias.any()
    classifier.adopt()
    stranger = centre(classifier)
    classifier.adopt(plain)
    mean, known = centre(classifier)
    assert stranger[1] == 0.0 and known > 0.5
    own = plain.total / plain.count
    assert np.abs(mean - own).sum() < np.abs(stranger[0] - own).sum()


def test_the_running_mean_goes_on_from_the_profile(classifier: EmotionClassifier, plain: VoiceProfile) -> None:
    classifier.adopt(plain)
    before = centre(classifier)
    last_verdict(classifier, demo_voice()[: 6 * SECOND])
    after = centre(classifier)
    assert after[1] > before[1] and not np.array_equal(after[0], before[0])
    classifier.reset()
    assert np.array_equal(centre(classifier)[0], before[0])


def test_a_profile_is_trusted_by_whom_it_is_of_and_not_by_a_deeper_voice(
    classifier: EmotionClassifier, guided: VoiceProfile
) -> None:
    deeper = soxr.resample(demo_voice()[: 12 * SECOND], 3, 4).astype(np.float32)  # by a fourth, and slower
    classifier.adopt()
    assert not classifier.shares.size
    stranger = last_verdict(classifier, deeper)
    classifier.adopt(guided)
    before = classifier.shares[0]
    last_verdict(classifier, demo_voice()[: 12 * SECOND])
    assert classifier.shares[0] > before > 0.5
    classifier.reset()
    heard = last_verdict(classifier, deeper)
    assert classifier.shares[0] < 0.1
    assert np.abs(heard - stranger).max() < 0.1


def test_without_a_profile_nothing_is_left_of_it(classifier: EmotionClassifier, guided: VoiceProfile) -> None:
    classifier.adopt()
    before = last_verdict(classifier, STRETCHES[0][1])
    classifier.adopt(guided)
    last_verdict(classifier, STRETCHES[0][1])
    classifier.adopt()
    assert last_verdict(classifier, STRETCHES[0][1]).tobytes() == before.tobytes()


def test_every_emotion_weighs_alike_in_the_mean(classifier: EmotionClassifier) -> None:
    a, one, b, other = 0, np.concatenate([turn(0), turn(1)]), 1, np.concatenate([turn(2), turn(4)])
    even = enrol(classifier, [Recording(one, a), Recording(other, b)])
    many = enrol(classifier, [Recording(one, a)] * 4 + [Recording(other, b)])
    mean = lambda profile: profile.total / profile.count  # noqa: E731
    np.testing.assert_allclose(mean(even), mean(many), atol=1e-3)


def test_saved_and_loaded_it_is_the_same(guided: VoiceProfile, tmp_path: Path) -> None:
    path = tmp_path / "ada.voice"
    guided.save(path)
    again = VoiceProfile.load(path)
    assert path.stat().st_size < 100_000
    assert again.sentences == dict.fromkeys(EMOTIONS, 1) and again.classifier == guided.classifier
    for name in ("total", "count", "offset", "weight", "bias"):
        assert np.array_equal(getattr(again, name), getattr(guided, name))


def test_too_little_speech_is_one_clear_error(classifier: EmotionClassifier) -> None:
    with pytest.raises(UserError, match="of speech were heard"):
        enrol(classifier, [Recording(np.zeros(5 * SECOND, np.float32), None)])
    with pytest.raises(UserError, match="of speech were heard"):
        enrol(classifier, [Recording(demo_voice()[: 2 * SECOND], 0)])


def test_a_profile_belongs_to_its_weights(classifier: EmotionClassifier, plain: VoiceProfile) -> None:
    facts = {name: getattr(plain, name) for name in ("total", "count", "offset", "weight", "bias", "sentences", "seconds")}
    with pytest.raises(UserError, match="other weights"):
        classifier.adopt(VoiceProfile("0123456789abcdef", **facts))


def arrays(kind: type[np.floating] = np.float32, **changed: np.ndarray) -> dict[str, np.ndarray]:
    zero = {"total": np.zeros(N_EMBEDDING), "count": np.ones(()), "offset": np.zeros(N_HIDDEN)}
    zero |= {"weight": np.zeros((5, N_HIDDEN)), "bias": np.zeros(5)} | changed
    return {name: array.astype(kind) for name, array in zero.items()}


FACTS = {"format": "speech2expression voice profile", "version": "3", "classifier": "0", "seconds": "9", "sentences": "{}"}


@pytest.mark.parametrize(
    ("content", "facts", "says"),
    [
        (arrays(), FACTS | {"format": "else"}, "is no voice profile"),
        (arrays(), FACTS | {"version": "2"}, "of version 2, expected 3"),
        (arrays(total=np.zeros(3)), FACTS, "does not fit"),
        (arrays(extra=np.zeros(3)), FACTS, "does not fit"),
        (arrays(bias=np.full(5, np.nan)), FACTS, "does not fit"),
        (arrays(weight=np.full((5, N_HIDDEN), 3e38)), FACTS, "does not fit"),
        (arrays(np.float64, weight=np.full((5, N_HIDDEN), 1e300)), FACTS, "does not fit"),
        (arrays(np.float64, total=np.full(N_EMBEDDING, 1e30), count=np.array(1e12)), FACTS, "does not fit"),
        *((arrays(count=np.array(count)), FACTS, "does not fit") for count in (0.0, -1e6, 3e38, np.inf, np.nan)),
        (arrays(), FACTS | {"sentences": "[1"}, "damaged"),
        (arrays(), FACTS | {"sentences": '{"angry": 1e400}'}, "damaged"),
        (arrays(), FACTS | {"sentences": '{"angry": -1}'}, "damaged"),
        *((arrays(), FACTS | {"seconds": seconds}, "damaged") for seconds in ("inf", "nan", "-1")),
        (arrays(), FACTS | {"seconds": "many"}, "damaged"),
    ],
)
def test_wrong_files_are_one_clear_error(tmp_path: Path, content: dict, facts: dict, says: str) -> None:
    path = tmp_path / "wrong.voice"
    save_file(content, path, metadata=facts)
    with pytest.raises(UserError, match=says):
        VoiceProfile.load(path)


@settings(deadline=None, max_examples=10)
@given(values=st.lists(st.sampled_from([0.0, 1.0, -1e4, 1e4, 1e5, 1e30, np.nan]), min_size=5, max_size=5))
def test_whatever_a_file_holds_what_is_heard_is_numbers(
    classifier: EmotionClassifier, tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    path = tmp_path_factory.mktemp("profile") / "odd.voice"
    total, count, offset, weight, bias = values
    content = arrays(total=np.full(N_EMBEDDING, total), count=np.array(count), offset=np.full(N_HIDDEN, offset))
    content |= {"weight": np.full((5, N_HIDDEN), weight, np.float32), "bias": np.full(5, bias, np.float32)}
    save_file(content, path, metadata=FACTS | {"classifier": classifier.identity})
    try:
        profile = VoiceProfile.load(path)
    except UserError:
        return
    classifier.adopt(profile)
    for start in range(0, SECOND, classifier.HOP):
        heard = classifier.step(turn(1)[start : start + classifier.HOP])
        assert np.isfinite([*heard.probabilities, heard.confidence, heard.arousal, heard.valence, heard.intensity]).all()
    classifier.adopt()


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_damaged_files_are_one_clear_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("profile") / "damaged.voice"
    save_file(arrays(), path, metadata=FACTS)
    whole = path.read_bytes()
    path.write_bytes(data.draw(st.one_of(st.binary(max_size=200), st.integers(0, len(whole) - 1).map(lambda n: whole[:n]))))
    with pytest.raises(UserError, match=r"damaged\.voice"):
        VoiceProfile.load(path)


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no voice profile at .*enrol_voice"):
        VoiceProfile.load(tmp_path / "nobody.voice")
