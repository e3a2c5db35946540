"""What ships: nine people of the default generator, five expressions that differ, a rig that fits; a predictor for any other."""

import itertools

import numpy as np
import pytest

from models.errors import UserError
from models.expression.bank import DIRECTIONS_FILE, FACES_FILE, PREDICTOR_FILE, load_bank, load_directions, load_predictor
from models.expression.goals import EMOTION_GOALS, RIG_GOALS
from models.labels import EMOTIONS, NEUTRAL
from models.stylegan.default import GRAPH_HASH

NUM_WS, WIDTH = 23, 512
MOVED = [EMOTIONS.index(emotion) for emotion in EMOTION_GOALS]


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    return float((first * second).sum() / np.linalg.norm(first) / np.linalg.norm(second))


def test_nine_faces_of_the_default_generator_each_with_five_emotions_and_a_rig() -> None:
    bank = load_bank(GRAPH_HASH)
    assert len(bank) == 9
    for name, face in bank.items():
        assert face.name == name
        assert face.neutral.shape == (NUM_WS, WIDTH)
        assert np.isfinite(face.paths).all()
        assert not face.paths[NEUTRAL].any()
        assert {*RIG_GOALS, "yaw", "pitch"} <= set(face.rig)
        for emotion in MOVED:
            lengths = np.linalg.norm(face.paths[emotion].reshape(face.knots, -1), axis=1)
            assert (np.diff(lengths) > 0).all()


def test_nine_different_people() -> None:
    neutrals = [face.neutral - load_bank()["seed:1002"].neutral for face in load_bank().values()]
    for first, second in itertools.combinations(neutrals, 2):
        assert np.linalg.norm(first - second) > 10


def test_no_emotion_is_like_another_or_its_mirror() -> None:
    for face in load_bank().values():
        for first, second in itertools.combinations(MOVED, 2):
            assert -0.8 < cosine(face.paths[first, -1], face.paths[second, -1]) < 0.6


def test_files_are_small_and_refuse_another_generator() -> None:
    assert FACES_FILE.stat().st_size < 5e6
    assert DIRECTIONS_FILE.stat().st_size < 1e6
    assert PREDICTOR_FILE.stat().st_size < 10e6
    with pytest.raises(UserError, match="belongs to the generator"):
        load_bank("0" * 64)
    with pytest.raises(UserError, match="belongs to the generator"):
        load_directions("0" * 64)
    with pytest.raises(UserError, match="belongs to the generator"):
        load_predictor("0" * 64)


def test_any_code_has_predicted_expressions() -> None:
    ws = np.repeat(np.random.RandomState(5).randn(1, WIDTH).astype(np.float32), NUM_WS, axis=0)
    predicted = load_predictor(GRAPH_HASH).paths(ws, "seed:5")
    assert predicted.name == "seed:5"
    assert predicted.generator_hash == GRAPH_HASH
    assert np.linalg.norm(predicted.neutral - ws) < np.linalg.norm(ws)
    for emotion in MOVED:
        assert predicted.paths[emotion, -1].any()
    assert {*RIG_GOALS, "yaw", "pitch"} <= set(predicted.rig)
    assert predicted.blend(np.eye(5)[3]).shape == (1, NUM_WS, WIDTH)
