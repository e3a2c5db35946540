"""Mixtures of emotions: which there are, and one face's sheet with real networks."""

from pathlib import Path

import cv2
import pytest
import shared_data

from models.judge import networks
from tools.evaluate_mixtures import PAIRS, TILE_SIDE, half_of, main


def test_every_two_emotions_are_mixed_once_and_half_of_each_is_taken() -> None:
    assert len(PAIRS) == len({frozenset(pair) for pair in PAIRS}) == 6
    assert half_of("angry", "sad").tolist() == [0.5, 0, 0, 0, 0.5]
    assert half_of().tolist() == [0] * 5


def test_a_face_is_a_row_of_neutral_and_six_mixtures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = networks.missing(shared_data.NETWORKS, networks.names("judge", "geometry"))
    if absent:
        pytest.skip(f"needs the networks {', '.join(absent)} in {shared_data.NETWORKS}")
    sheet = tmp_path / "sheet.png"
    assert main(["--faces", "seed:1002", "--networks", str(shared_data.NETWORKS), "--sheet", str(sheet)]) == 0
    said = capsys.readouterr().out
    assert "angry + sad" in said
    assert "all mixtures" in said
    picture = cv2.imread(str(sheet))
    assert picture is not None
    assert picture.shape == (TILE_SIDE, 7 * TILE_SIDE, 3)
