"""Photographs beside drawn faces: which rows count, how often the judge agrees, what lies beyond people."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import shared_data

from models.errors import UserError
from models.judge import networks
from models.judge.landmarks import BLENDSHAPES
from tools.evaluate_photographs import Photograph, agreement, beyond, main, one_sided, symmetry, wanted

SHAPES = dict.fromkeys(BLENDSHAPES, 0.0) | {"browDownLeft": 0.5, "browDownRight": 0.4, "jawOpen": 0.1, "eyeLookInLeft": 0.9}


def table(folder: Path, *rows: str) -> Path:
    file = folder / "photos.csv"
    file.write_text("\n".join(["file,expression,pose,kind,faces_found_by_yunet", *rows]) + "\n")
    return file


def test_only_photographs_of_one_whole_face_count(tmp_path: Path) -> None:
    file = table(
        tmp_path,
        "a.jpg,smile,frontal,colour,1",
        "b.jpg,smile,profile,colour,1",
        "c.jpg,smile,frontal,oil painting,1",
        "d.jpg,smile,group of 3,colour,3",
        "e.jpg,smile,face cut by the image edge,colour,1",
        "f.jpg,smile",
    )
    assert [row["file"] for row in wanted(file)] == ["a.jpg", "f.jpg"]


def test_agreement_is_counted_by_label_and_faces_without_one_are_left_out() -> None:
    seen = [
        Photograph("happy", "happy", {}),
        Photograph("happy", "sad", {}),
        Photograph(None, "fear", {}),
        Photograph("sad", "sad", {}),
    ]
    assert agreement(seen) == {"happy": (1, 2), "sad": (1, 1)}


def test_sides_and_limits() -> None:
    spread = symmetry([SHAPES, {**SHAPES, "browDownLeft": 0.8}])
    assert spread["median"] == pytest.approx(0.25), "gaze has no sides here"
    assert spread["within 0.15"] == 0.5
    assert one_sided(SHAPES, {**SHAPES, "browDownLeft": 0.8}) == pytest.approx(0.3)
    assert one_sided(SHAPES, {**SHAPES, "browDownLeft": 0.8, "browDownRight": 0.7}) == pytest.approx(0)
    assert beyond({**SHAPES, "jawOpen": 0.2, "browDownLeft": 0.52}, SHAPES) == ["jawOpen"]


def test_a_table_that_is_missing_or_says_nothing_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="table of photographs"):
        wanted(tmp_path / "photos.csv")
    (tmp_path / "photos.csv").write_text("name\na.jpg\n")
    with pytest.raises(UserError, match="columns file and expression"):
        wanted(tmp_path / "photos.csv")
    (tmp_path / "photos.csv").write_bytes("file,expression\nZoé.jpg,smile\n".encode("latin-1"))
    with pytest.raises(UserError, match="table of photographs"):
        wanted(tmp_path / "photos.csv")
    assert main(["--photos", str(tmp_path), "--networks", "/nowhere"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


REST = {"face": "seed:1", "emotion": "neutral", "blendshapes": {"jawOpen": 0.1}}


@pytest.mark.parametrize(
    "content", [[], [1], {"faces": {"seed:1": [0.5]}}, {"faces": [REST]}, {"faces": [REST | {"emotion": "sad"}]}]
)
def test_what_are_no_judged_faces_is_told_before_photographs_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: object
) -> None:
    (tmp_path / "drawn.json").write_text(json.dumps(content))
    arguments = ["--photos", str(tmp_path / "none"), "--networks", "/nowhere", "--drawn", str(tmp_path / "drawn.json")]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "make it with tools.evaluate_expression --json" in error


def test_two_photographs_are_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = networks.missing(shared_data.NETWORKS, networks.names("judge", "geometry"))
    photo = shared_data.PHOTOS / "astronaut_collins.jpg"
    if absent or not photo.is_file():
        pytest.skip(f"needs {photo} and the networks {', '.join(absent)} in {shared_data.NETWORKS}")
    (tmp_path / "smiling.jpg").write_bytes(photo.read_bytes())
    table(tmp_path, "smiling.jpg,smile,frontal,colour,1")
    assert main(["--photos", str(tmp_path), "--networks", str(shared_data.NETWORKS)]) == 0
    assert "labelled happy    fer agrees on 1 of 1" in capsys.readouterr().out
    cv2.imwrite(str(tmp_path / "smiling.jpg"), np.zeros((64, 64, 3), np.uint8))
    assert main(["--photos", str(tmp_path), "--networks", str(shared_data.NETWORKS)]) == 2
    assert "none was found" in capsys.readouterr().err
