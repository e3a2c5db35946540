"""What is found once for an own generator: in steps that are kept, gone on from, and made anew where they are damaged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from painted_faces import EYES, Painted
from reference_generators import reference_generator

from models.errors import UserError
from models.expression import amortised, own_generator
from models.expression.directions import NoFacesError
from models.expression.own_generator import Descent, Kept, best_known, check_learnable, known_predictor, learn


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own cache, and as few faces as show what happens."""
    monkeypatch.setattr(own_generator, "cache_folder", lambda name: tmp_path)
    monkeypatch.setattr(own_generator, "MEASURED_FACES", 30)
    monkeypatch.setattr(own_generator, "DESCENTS", (Descent(2, 2.0, 1.0, 0.1), Descent(1, 1.0, 0.5, 0.1)))
    monkeypatch.setattr(own_generator, "SAVED_EVERY", 1)
    monkeypatch.setattr(own_generator, "EACH", 1)
    monkeypatch.setattr(own_generator, "COMPONENTS", 2)
    monkeypatch.setattr(amortised, "CODES", 200)
    monkeypatch.setattr(amortised, "CALIBRATED_FACES", 1)
    monkeypatch.setattr(amortised, "SCALES", (1.0,))
    return tmp_path


class StoppedError(Exception):
    """The show ends."""


def test_steps_are_kept_and_the_end_is_taken_from_the_cache(small: Path) -> None:
    generator, parts = Painted(), list[float]()
    assert best_known(generator) is None
    learnt = learn(generator, EYES, lambda part, _what: parts.append(part))
    assert parts == sorted(parts)
    assert (parts[0], parts[-1]) == (0, 1)
    assert sorted(path.name for path in small.iterdir()) == [
        "eeeeeeeeeeeeeeee-networks-directions.safetensors",
        "eeeeeeeeeeeeeeee-networks-predictor.safetensors",
    ]
    known = best_known(generator)
    assert known is not None
    again = learn(generator, EYES, lambda part, what: pytest.fail(f"{what} is known"))
    for name, matrix in learnt.matrices.items():
        assert np.allclose(again.matrices[name], matrix, atol=1e-2)
        assert np.array_equal(again.matrices[name], known.matrices[name])


def test_what_was_stopped_goes_on(small: Path) -> None:
    generator = Painted()

    def stop(part: float, what: str) -> None:
        if part > 0.5:
            raise StoppedError

    with pytest.raises(StoppedError):
        learn(generator, EYES, stop)
    measured = best_known(generator)
    assert measured is not None, "directions are shown until a predictor is there"
    assert not measured.matrices["happy"][..., 1:].any()
    parts: list[float] = []
    learn(generator, EYES, lambda part, _what: parts.append(part))
    assert parts[0] > 0.3


@pytest.mark.parametrize("damaged", ["directions", "progress", "predictor"])
def test_a_damaged_step_is_made_anew(small: Path, damaged: str) -> None:
    generator = Painted()
    file = getattr(Kept(generator, EYES.name), f"{damaged}_file")
    file.write_bytes(b"cut short")
    learn(generator, EYES)
    assert Kept(generator, EYES.name).predictor() is not None
    assert not file.exists() or file.read_bytes() != b"cut short"


def test_a_generator_of_anything_but_faces_is_seen_soon(small: Path) -> None:
    generator, parts = Painted(), list[float]()
    generator.faceless = tuple(range(1000, 2000))
    with pytest.raises(NoFacesError, match="0 of its first 11 pictures show one"):
        learn(generator, EYES, lambda part, _what: parts.append(part))
    assert not list(small.iterdir())


def test_a_generator_that_shows_a_face_now_and_then_is_none_of_faces() -> None:
    generator = Painted()
    generator.faceless = (*range(1000, 2000, 2), 1001, 1003)
    with pytest.raises(NoFacesError):
        learn(generator, EYES)


def test_faces_that_are_not_seen_now_and_then_are_left_out() -> None:
    generator = Painted()
    generator.faceless = tuple(range(1000, 2000, 3))
    assert learn(generator, EYES).generator_hash == generator.graph_hash


def test_too_few_layers_are_named() -> None:
    with pytest.raises(UserError, match=r"layers of 64² and 128², this generator lacks one"):
        check_learnable(reference_generator("sg2-32"))


def test_what_networks_taught_comes_before_what_the_student_did() -> None:
    generator = Painted()
    with pytest.raises(UserError, match="nothing is learnt yet"):
        known_predictor(generator)
    for who, places in (("student", 0.5), ("networks", 0.25)):
        learnt = learn(generator, replace(EYES, name=who))
        learnt.places["sad"][0] = places
        learnt.save(Kept(generator, who).predictor_file)
        for known in (known_predictor(generator), best_known(generator)):
            assert known is not None
            assert known.places["sad"][0] == places
