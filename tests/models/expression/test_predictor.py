"""The predictor of expressions: where its training starts, what it makes of a code, saving and damaged files."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from models.errors import UserError
from models.expression import predictor
from models.expression.directions import TURNS, Directions
from models.expression.goals import EMOTION_GOALS, RIG_GOALS
from models.expression.predictor import NEUTRAL_STEP, PREDICTED, PathPredictor, untrained
from models.labels import EMOTIONS, NEUTRAL

WIDTH, NUM_WS, COMPONENTS = 24, 15, 6
ROWS = slice(1, 13)
RANDOM = np.random.RandomState(4)


def on_rows(seed: int) -> np.ndarray:
    offset = np.zeros((NUM_WS, WIDTH), np.float32)
    offset[ROWS] = np.random.RandomState(seed).randn(ROWS.stop - ROWS.start, WIDTH)
    return offset


DIRECTIONS = Directions(
    {name: on_rows(n) for n, name in enumerate((*EMOTION_GOALS, *RIG_GOALS, *TURNS, "less_smile"))},
    np.eye(WIDTH + 1, dtype=np.float32)[0],  # the first number of a code says how much it smiles
    "d" * 64,
)
CODES = (RANDOM.randn(300, WIDTH) * np.linspace(3, 0.1, WIDTH)).astype(np.float32)


@pytest.fixture
def start() -> PathPredictor:
    return untrained(DIRECTIONS, CODES, ROWS, COMPONENTS)


def code(smile: float) -> np.ndarray:
    w = CODES[0].copy()
    w[0] = smile
    return np.repeat(w[None], NUM_WS, axis=0)


def test_training_starts_from_the_directions_and_takes_off_a_smile(start: PathPredictor) -> None:
    unsmiling, smiling = start.paths(code(-1.0), "seed:1"), start.paths(code(2.5), "seed:2")
    assert np.array_equal(unsmiling.neutral, code(-1.0)), "no smile, nothing to take off"
    assert np.allclose(smiling.neutral, code(2.5) + 2.5 * DIRECTIONS.offsets["less_smile"], atol=1e-4)
    for face in (unsmiling, smiling):
        assert not face.paths[NEUTRAL].any()
        for emotion in EMOTION_GOALS:
            assert np.allclose(face.paths[EMOTIONS.index(emotion), -1], DIRECTIONS.offsets[emotion], atol=1e-5)
        assert set(face.rig) == {*RIG_GOALS, *TURNS}
        assert np.allclose(face.rig["blink"], DIRECTIONS.offsets["blink"], atol=1e-5)


def test_features_are_principal_components_at_unit_variance(start: PathPredictor) -> None:
    features = np.stack([start.features(w) for w in CODES])
    assert np.allclose(features[:, 0], 1)
    assert np.allclose(features[:, 2:].std(0), 1, atol=0.05)
    assert np.abs(np.corrcoef(features[:, 2:].T) - np.eye(COMPONENTS)).max() < 0.05


def test_what_was_learnt_depends_on_the_face(start: PathPredictor) -> None:
    start.matrices["happy"][..., 2] = 1
    first, second = (start.offset("happy", np.repeat(w[None], NUM_WS, axis=0)) for w in CODES[:2])
    apart = start.features(CODES[0])[2] - start.features(CODES[1])[2]
    assert np.allclose((first - second)[ROWS], apart, atol=1e-4)
    assert not first[[0, *range(ROWS.stop, NUM_WS)]].any()


def test_knots_lie_where_they_were_placed(start: PathPredictor) -> None:
    start.places["sad"][:] = (0.2, 0.5, 1.0)
    path = start.paths(code(0), "seed:3").paths[EMOTIONS.index("sad")]
    assert np.allclose(path[0], 0.2 * path[2], atol=1e-5)
    assert np.allclose(path[1], 0.5 * path[2], atol=1e-5)


def test_file_gives_the_predictor_back(start: PathPredictor, tmp_path: Path) -> None:
    file = tmp_path / "predictor.safetensors"
    start.save(file)
    back = predictor.load(file, "d" * 64)
    ours, theirs = start.paths(code(2), "seed:2"), back.paths(code(2), "seed:2")
    assert set(back.matrices) == set(PREDICTED)
    assert np.allclose(ours.neutral, theirs.neutral, atol=2e-2)
    assert np.allclose(ours.paths, theirs.paths, atol=2e-2)
    assert NEUTRAL_STEP not in theirs.rig


def test_foreign_and_damaged_files_are_refused(start: PathPredictor, tmp_path: Path) -> None:
    file = tmp_path / "predictor.safetensors"
    start.save(file)
    with pytest.raises(UserError, match="one in use is eeeeeeeeeeee"):
        predictor.load(file, "e" * 64)
    tensors = load_file(file)
    del tensors["matrix/happy"]
    metadata = {"format": predictor.FORMAT, "generator": "d" * 64, "emotions": " ".join(EMOTIONS)}
    save_file(tensors, file, metadata=metadata)
    with pytest.raises(UserError, match="damaged"):
        predictor.load(file)
