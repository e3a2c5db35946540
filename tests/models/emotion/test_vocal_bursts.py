"""Bursts of voice are heard for what they are; what hears them belongs to the network whose vectors it was learnt from."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from voices import turn

from models.emotion.classifier import WEIGHTS, EmotionClassifier
from models.emotion.embedding import N_EMBEDDING
from models.emotion.hearing import Hearing
from models.emotion.trained import Trained
from models.emotion.vocal_bursts import FORMAT, KINDS, N_READ, Activity, Shares, VocalBursts
from models.emotion.voice_activity import N_STATE
from models.errors import UserError
from models.labels import EMOTIONS, NEUTRAL

HOP = EmotionClassifier.HOP
TRAINED = Trained.load(WEIGHTS, "")
IDENTITY = EmotionClassifier(TRAINED).identity
SILENT = Activity(torch.zeros(N_READ), -40.0)


def always(kind: str, identity: str = IDENTITY, activity: Activity = SILENT) -> VocalBursts:
    """Hears the same in everything."""
    bias = np.where(np.array(KINDS) == kind, 40.0, 0.0).astype(np.float32)
    return VocalBursts(activity, np.zeros((len(KINDS), N_EMBEDDING), np.float32), bias, identity)


def hear(bursts: VocalBursts | None, voice: np.ndarray | None = None) -> tuple[EmotionClassifier, list[Hearing]]:
    """The bundled voice's first turn, or another sound, and who heard it."""
    classifier, sound = EmotionClassifier(TRAINED, bursts), turn(0) if voice is None else voice
    return classifier, [classifier.step(sound[start : start + HOP]) for start in range(0, len(sound) - HOP + 1, HOP)]


def confidences(heard: list[Hearing]) -> list[float]:
    return [hearing.confidence for hearing in heard]


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weight, bias = (rng.normal(size=shape).astype(np.float32) for shape in ((len(KINDS), N_EMBEDDING), len(KINDS)))
    activity = Activity(torch.from_numpy(rng.normal(size=N_READ).astype(np.float32)), -1.5)
    VocalBursts(activity, weight, bias, "0123").save(tmp_path / "bursts.safetensors")
    found = VocalBursts.load(tmp_path / "bursts.safetensors")
    assert (found.classifier, found.activity.bias) == ("0123", -1.5)
    assert torch.equal(found.activity.weight, activity.weight)
    assert np.array_equal(found.weight, weight) and np.array_equal(found.bias, bias)


def test_activity_is_logistic_in_the_newest_state_and_the_mean() -> None:
    weight = torch.zeros(N_READ)
    weight[3], weight[N_STATE + 5] = 2.0, -1.0
    states = torch.zeros(4, N_STATE)
    states[-1, 3], states[0, 5] = 1.0, 2.0
    assert Activity(weight, 0.25)(states) == pytest.approx(1 / (1 + np.exp(-1.75)))


def test_shares_of_a_vector_add_up_to_one() -> None:
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(len(KINDS), N_EMBEDDING)).astype(np.float32)
    shares = VocalBursts(SILENT, weight, np.zeros(len(KINDS), np.float32), "").heard_in(
        rng.normal(size=(4, N_EMBEDDING)).astype(np.float32)
    )
    assert shares.speech + shares.reflex + shares.no_voice + shares.emotions.sum(1) == pytest.approx(np.ones(4))


def test_speech_and_burst_each_say_their_part() -> None:
    said = np.log(np.array([[0.7, 0.1, 0.1, 0.05, 0.05]], np.float32))
    burst = np.array([[0.0, 0.0, 0.3, 0.0, 0.0]])
    both = np.exp(Shares(np.array([0.5]), np.array([0.1]), np.array([0.1]), burst).logits(said))
    assert both == pytest.approx(np.array([[0.35, 0.05, 0.35, 0.025, 0.025]]), rel=1e-4)


def test_what_ships_belongs_to_the_classifier_that_ships() -> None:
    assert VocalBursts.load().classifier == IDENTITY


def test_speech_is_taken_for_no_burst() -> None:
    _, with_them = hear(VocalBursts.load())
    _, without = hear(None)
    assert sum(confidences(with_them)) > 0.9 * sum(confidences(without)) > 0
    assert [h.probabilities.argmax() for h in with_them[20:]] == [h.probabilities.argmax() for h in without[20:]]


def test_a_reflex_is_no_emotion() -> None:
    coughing, heard = hear(always("reflex"))
    assert all(hearing.probabilities.argmax() == NEUTRAL for hearing in heard)
    assert max(confidences(heard)) < 1e-6
    assert coughing.window is not None
    assert coughing.window.n_new == 0, "the voice is not learnt from it"
    assert any(hearing.speaking for hearing in heard)


def test_a_sound_is_nobody() -> None:
    """As far as voice activity for speech does not say otherwise."""
    noise = np.random.default_rng(0).normal(0, 0.05, 16_000).astype(np.float32)
    _, heard = hear(always("no voice", activity=Activity(torch.zeros(N_READ), 40.0)), noise)
    assert max(confidences(heard)) < 1e-6 and not any(hearing.speaking for hearing in heard)
    _, speech = hear(always("no voice"))
    _, without = hear(None)
    assert sum(confidences(speech)) > 0.8 * sum(confidences(without))


def test_what_is_spoken_is_speech_or_a_reflex() -> None:
    shares = Shares(np.array([0.1, 0.1]), np.array([0.1, 0.1]), np.array([0.6, 0.6]), np.full((2, 5), 0.04))
    moved = shares.where_spoken(0.5)
    assert moved.speech == pytest.approx([0.5, 0.5]) and moved.reflex == pytest.approx([0.1, 0.1])
    assert moved.no_voice == pytest.approx([0.3, 0.3]) and moved.emotions == pytest.approx(np.full((2, 5), 0.02))


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_burst_is_its_emotion_where_nobody_speaks(emotion: str) -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 16_000).astype(np.float32)
    bursting, heard = hear(always(emotion, activity=Activity(torch.zeros(N_READ), 40.0)), noise)
    assert heard[-1].speaking and EMOTIONS[heard[-1].probabilities.argmax()] == emotion
    assert bursting.window is not None
    assert bursting.window.n_new == 0, "the voice is not learnt from it"
    _, speech = hear(always(emotion))
    _, without = hear(None)
    assert [h.probabilities.argmax() for h in speech[20:]] == [h.probabilities.argmax() for h in without[20:]]


def test_without_activity_there_is_no_burst() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 16_000).astype(np.float32)
    _, heard = hear(always("fear"), noise)
    assert not heard[-1].speaking


def test_what_was_learnt_from_other_vectors_counts_for_nothing() -> None:
    _, heard = hear(always("reflex", "of other weights"))
    _, without = hear(None)
    assert confidences(heard) == confidences(without)


@pytest.mark.parametrize("fault", ["missing", "text", "another format", "a tensor too short", "a tensor lacks"])
def test_a_damaged_file_is_one_line(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "bursts.safetensors"
    if fault == "text":
        path.write_text("a scream")
    elif fault != "missing":
        always("speech").save(path)
        tensors, metadata = load_file(path), {"format": FORMAT, "classifier": IDENTITY}
        if fault == "another format":
            metadata["format"] = "something else"
        elif fault == "a tensor too short":
            tensors["kind.weight"] = tensors["kind.weight"][:, :-1]
        else:
            del tensors["activity.bias"]
        save_file(tensors, path, metadata)
    with pytest.raises(UserError, match="does not hold what hears vocal bursts"):
        VocalBursts.load(path)
