"""Amortised search on a generator and networks of known nature: what is learnt on some faces holds for others."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from painted_faces import EYES, NUM_WS, ROWS, WIDTH, Painted, stripes

from models.errors import UserError
from models.expression import amortised
from models.expression.amortised import STILL, Amortisation, Teaching, calibrated
from models.expression.directions import TURNS, Directions
from models.expression.goals import EMOTION_GOALS, RIG_GOALS
from models.expression.objective import Weights
from models.expression.predictor import PREDICTED, PathPredictor, untrained
from models.expression.preview import FittedPreviews, full_picture
from models.labels import EMOTIONS


@pytest.fixture
def start() -> PathPredictor:
    """Which leads hardly anywhere."""
    offset = np.zeros((NUM_WS, WIDTH), np.float32)
    offset[ROWS] = 1e-3
    names = (*EMOTION_GOALS, *RIG_GOALS, *TURNS, "less_smile")
    codes = Painted().codes_of_seeds(range(300)).numpy()
    return untrained(
        Directions(dict.fromkeys(names, offset), np.zeros(WIDTH + 1, np.float32), Painted.graph_hash), codes, ROWS, 4
    )


ANYWHERE = Weights(picture=0, colour=0)  # stripes are no part of the face
EVERYTHING = Teaching(each=6, weights=ANYWHERE, weights_at_rest=ANYWHERE)


def amortisation(start: PathPredictor, teaching: Teaching = EVERYTHING) -> Amortisation:
    return Amortisation(Painted(), EYES, start, FittedPreviews(Painted()), teaching)


def brighter(predictor: PathPredictor, emotion: str, seed: int) -> np.ndarray:
    """How much brighter each emotion's stripe is with the expression than without."""
    ws = Painted().broadcast(Painted().code_of_seed(seed))
    moved = ws + torch.from_numpy(predictor.offset(emotion, ws[0].numpy()))
    return (stripes(full_picture(Painted(), moved)) - stripes(full_picture(Painted(), ws))).numpy()[: len(EMOTIONS)]


def test_what_is_learnt_holds_for_faces_that_were_never_seen(start: PathPredictor) -> None:
    learning = amortisation(start)
    first = learning.step(1.0)
    assert set(first) == set(PREDICTED)
    for _ in range(12):
        last = learning.step(0.5)
    assert last["sad"] < first["sad"]
    for emotion in EMOTION_GOALS:
        for seed in (1, 2):
            assert brighter(learning.trained(), emotion, seed).argmax() == EMOTIONS.index(emotion)


def test_only_what_is_held_learns_and_leaves_the_coarse_rows(start: PathPredictor) -> None:
    learning = amortisation(start, Teaching(hold=("sad",)))
    assert set(learning.step(1.0)) == {"sad"}
    matrices = learning.trained().matrices
    assert {name for name, matrix in matrices.items() if not np.array_equal(matrix, start.matrices[name])} == {"sad"}
    assert not matrices["sad"][STILL].any()


def test_a_picture_without_a_face_teaches_nothing(start: PathPredictor) -> None:
    generator = Painted()
    generator.faceless = (7,)
    learning = Amortisation(generator, EYES, start, FittedPreviews(generator), seed=7)
    assert learning.step(1.0) == {}
    assert learning.seed == 8
    assert set(learning.trained().matrices) == set(start.matrices)


def test_it_goes_on_from_what_was_saved_and_refuses_anything_else(start: PathPredictor, tmp_path: Path) -> None:
    file = tmp_path / "progress.safetensors"
    learning = amortisation(start)
    learning.step(1.0)
    learning.average_in(0.5)
    learning.save(file, minutes=1.5)
    again = amortisation(start)
    assert again.restore(file) == 1.5
    assert again.seed == learning.seed
    assert all(torch.equal(again.matrices[name], matrix) for name, matrix in learning.matrices.items())
    average = learning.averaged().matrices
    assert all(np.array_equal(again.averaged().matrices[name], matrix) for name, matrix in average.items())
    assert any(not np.array_equal(average[name], matrix.numpy()) for name, matrix in learning.matrices.items())
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match="can't be gone on from"):
        again.restore(file)


def test_strength_grows_until_the_networks_are_sure(start: PathPredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amortised, "CALIBRATED_FACES", 2)
    learning = amortisation(start)
    for _ in range(6):
        learning.step(0.3)
    trained = learning.trained()
    told: list[str] = []
    strong = calibrated(trained, Painted(), EYES, tell=told.append)
    weakest = calibrated(trained, Painted(), replace(EYES, same_person=2.0))
    for emotion in EMOTION_GOALS:
        assert (np.diff(strong.places[emotion]) >= 0).all()
        assert strong.places[emotion][-1] == 1
        scale = np.linalg.norm(strong.matrices[emotion]) / np.linalg.norm(trained.matrices[emotion])
        assert any(f"{emotion} × {s}" in line for line in told for s in (round(float(scale), 1),))
        assert np.allclose(weakest.matrices[emotion], amortised.SCALES[0] * trained.matrices[emotion]), "the person is lost"
