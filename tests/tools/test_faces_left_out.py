"""A face that the networks do not see ends no measurement: it is left out, named and counted."""

import contextlib
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.errors import UserError
from models.expression.paths import ExpressionPaths
from models.judge.crops import FaceBox, Picture
from models.judge.verdict import Change
from tools import evaluate_disentanglement, evaluate_mixtures, evaluate_strength, judged_faces
from tools.evaluate_disentanglement import Labels

HIDDEN = 1.0  # what is drawn of this code shows no face


def face(name: str, code: float) -> ExpressionPaths:
    ws, paths = np.full((23, 4), code, np.float32), np.full((5, 1, 23, 4), 100, np.float32)
    return ExpressionPaths(ws, paths, {}, "hash", name)


def drawn(code: Any) -> Picture:
    return np.full((8, 8, 3), int(np.asarray(code).flat[0]), np.uint8)


def detect(picture: Picture) -> FaceBox:
    if picture.max() == HIDDEN:
        raise UserError("a face was expected in the 8 x 8 picture, none was found: take another face")
    return FaceBox(0, 0, 8, 8, np.zeros((5, 2), np.float32), 1.0)


def labels(picture: Picture) -> Labels:
    detect(picture)
    return Labels("neutral", (True, True, False), np.array([1], np.float32))


def read(picture: Picture) -> SimpleNamespace:
    detect(picture)
    return SimpleNamespace(picture=picture)


@contextlib.contextmanager
def backend(_generator: object, _side: int) -> Iterator[SimpleNamespace]:
    yield SimpleNamespace(render=drawn)


FAKES: dict[ModuleType, dict[str, object]] = {
    evaluate_strength: {
        "check_there": lambda folder, *names: None,
        "Detector": lambda folder: detect,
        "Fer": lambda folder: lambda picture, box: np.full(5, picture.mean() / 255, np.float32),
        "open_backend": backend,
    },
    evaluate_disentanglement: {"Labeller": lambda folder: labels, "open_backend": backend},
    evaluate_mixtures: {
        "Judge": lambda folder: SimpleNamespace(read=read),
        "quick_generator": lambda generator: generator,
        "full_picture": lambda generator, ws, side: ws,
        "as_bytes": drawn,
        "change": lambda rest, full: Change(1.0, 0.5, None, 0.01, 1.0, 0.1),
    },
}


@pytest.fixture(params=FAKES, ids=lambda tool: tool.__name__)
def tool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(request.param, "chosen_generator", lambda options: None)
    for name, fake in FAKES[request.param].items():
        monkeypatch.setattr(request.param, name, fake)
    return request.param


def test_it_is_named_and_the_figures_are_of_the_others(
    tool: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = [face("seed:1", HIDDEN), face("seed:2", 2), face("seed:3", 3)]
    monkeypatch.setattr(judged_faces, "judged_faces", lambda generator, options: iter(faces))
    assert tool.main([]) == 2
    said = capsys.readouterr()
    assert said.out, "the figures"
    assert said.err.splitlines() == [
        "seed:1 is left out: a face was expected in the 8 x 8 picture, none was found: take another face",
        "seed:2 judged",
        "seed:3 judged",
        "error: 1 of 3 faces could not be judged, see above: the figures are of the others",
    ]


def test_where_none_is_seen_that_is_said(tool: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(judged_faces, "judged_faces", lambda generator, options: iter([face("seed:1", HIDDEN)]))
    assert tool.main([]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert said.err.splitlines()[-1] == "error: none of these faces could be judged, see above: name others with --faces seed:N"


def test_with_all_seen_nothing_is_missing(tool: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(judged_faces, "judged_faces", lambda generator, options: iter([face("seed:2", 2)]))
    assert tool.main([]) == 0
    assert capsys.readouterr().err == "seed:2 judged\n"
