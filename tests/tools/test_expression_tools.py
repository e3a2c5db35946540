"""Commands for expressions: names of faces, pictures on disk, figures that can be counted by hand."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import UserError
from tools import (
    evaluate_disentanglement,
    evaluate_expression,
    evaluate_mixtures,
    evaluate_photographs,
    evaluate_strength,
    render_emotions,
    search_directions,
    train_predictor,
)
from tools.judging_networks import FOLDER
from tools.render_emotions import write_picture
from tools.search_directions import seeds_of


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=9))
def test_faces_are_named_with_or_without_seed(seeds: list[int]) -> None:
    once = list(dict.fromkeys(seeds))
    assert seeds_of(",".join(f"seed:{seed}" for seed in seeds)) == once
    assert seeds_of("seed:" + ", ".join(map(str, seeds))) == once


@pytest.mark.parametrize(
    "text",
    [
        "",
        "seed:",
        "seed:-1",
        "seed:1,,2",
        "seed:4294967296",
        "face:1",
        "seed:1.5",
        "seed:²",
        "seed:\uff10\uff15",
        pytest.param("seed:" + 5000 * "1", id="5000 digits"),
    ],
)
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="seed:N"):
        seeds_of(text)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        (search_directions, ["--faces", "nobody", "--networks", "x"]),
        (search_directions, ["--networks", "x"]),
        (search_directions, ["--make-directions", "x", "--networks", "/nowhere"]),
        (search_directions, ["--faces", "seed:1", "--generator", "/nowhere"]),
        (train_predictor, ["--minutes", "1"]),
        (evaluate_expression, ["--networks", "/nowhere", "--generator", "/nowhere"]),
        (render_emotions, ["--face", "nobody", "--out", "x"]),
        (render_emotions, ["--face", "seed:1", "--out", __file__]),
        (render_emotions, ["--face", "seed:1", "--out", ".", "--label", "3"]),
        (evaluate_mixtures, ["--networks", "/nowhere", "--sheet", "."]),
        (evaluate_expression, ["--networks", "/nowhere", "--sheet", "."]),
        (evaluate_expression, ["--networks", "/nowhere"]),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(tool: Any, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        (evaluate_expression, ["--json", "out.json", "--sheet", "out.png"]),
        (evaluate_strength, []),
        (evaluate_mixtures, ["--sheet", "out.png"]),
        (evaluate_disentanglement, []),
        (evaluate_photographs, ["--photos", "photos"]),
    ],
)
def test_the_networks_that_judge_are_expected_beside_the_project(
    tool: Any, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    assert tool.main(arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: networks were expected in {FOLDER}, missing there: ")
    assert message.count("\n") == 1
    assert "'fer' as " in message


def test_a_picture_comes_back_as_it_was_and_nothing_else_is_left(tmp_path: Path) -> None:
    picture = np.random.RandomState(0).randint(0, 256, (8, 8, 3), dtype=np.uint8)
    write_picture(tmp_path / "deep" / "a.png", picture)
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["a.png"]
    assert np.array_equal(cv2.cvtColor(cv2.imread(str(tmp_path / "deep" / "a.png")), cv2.COLOR_BGR2RGB), picture)
    with pytest.raises(UserError, match="can't be written"):
        write_picture(tmp_path / "deep" / "a.png" / "b.png", picture)
