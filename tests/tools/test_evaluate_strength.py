"""Growth of expressions with strength: levels and falls that can be counted by hand."""

from typing import Any

import numpy as np
import pytest

from models.judge.crops import FaceBox, Picture
from tools.evaluate_strength import CROPS, figures, main, steady, strengths_of


def test_a_walk_has_its_steps_and_the_three_levels() -> None:
    assert strengths_of(2) == [0, 1 / 3, 0.5, 2 / 3, 1]
    assert strengths_of(3) == [0, 1 / 3, 2 / 3, 1]
    assert len(strengths_of(20)) == 23


def test_levels_rises_and_falls_are_counted() -> None:
    rising, stuck, falling = [0.0, 0.2, 0.5, 0.9], [0.0, 0.3, 0.3, 0.4], [0.0, 0.5, 0.4, 1.0]
    wavering = [0.0, 0.21, 0.2, 0.5]
    face = np.array([[rising, rising], [stuck, rising], [falling, rising], [wavering, rising]])  # emotions, judges, strengths
    result = figures(face[None], strengths_of(3))
    assert result["as it comes, slight"]["mean"] == pytest.approx((0.2 + 0.3 + 0.5 + 0.21) / 4)
    assert result["as it comes, full"]["fear"] == pytest.approx(0.4)
    assert result["steadily, part of a walk's own rise"] == pytest.approx({"slight": 2 / 9, "clear": 5 / 9, "full": 1})
    assert result["as it comes, slight < clear < full"]["walks"] == 0.25
    assert result["as it comes, never falls by more than 0.02"]["walks"] == 0.75
    assert result["as it comes, never falls"] == {"walks": 0.5, "angry": 1, "fear": 1, "happy": 0, "sad": 0, "faces": 0}
    assert result["as it comes, deepest fall"]["most"] == pytest.approx(0.1)
    assert result["steadily, never falls"]["faces"] == 1


def test_the_steady_ruler_looks_at_the_same_places_of_a_picture_and_of_its_mirror_image() -> None:
    picture = np.random.RandomState(0).randint(0, 256, (40, 60, 3)).astype(np.uint8)
    box = FaceBox(10, 12, 20, 16, np.array([[15, 15], [25, 15], [20, 20], [16, 24], [24, 24]], np.float32), 1.0)
    seen: list[tuple[bool, float, float]] = []

    def fer(shown: Picture, face: FaceBox) -> Any:
        plain = np.array_equal(shown, picture)
        seen.append((plain, face.x if plain else 60 - face.x - face.width, face.y))
        return np.full(5, 0.2 if plain else 0.4)

    assert steady(fer, picture, box) == pytest.approx(np.full(5, 0.3))  # type: ignore[arg-type]
    assert sorted(place[1:] for place in seen if place[0]) == sorted(place[1:] for place in seen if not place[0])
    assert len({place for place in seen if place[0]}) == len(CROPS)


def test_a_mirrored_box_keeps_right_and_left_apart() -> None:
    box = FaceBox(10, 12, 20, 16, np.array([[15, 15], [25, 15], [20, 20], [16, 24], [24, 24]], np.float32), 1.0)
    mirrored = box.mirrored(60)
    assert mirrored.centre == (40, 20)
    assert mirrored.points[0].tolist() == [35, 15], "the right eye is where the left one was, seen from the other side"
    assert mirrored.roll == pytest.approx(-box.roll)
    assert np.array_equal(mirrored.mirrored(60).points, box.points)


def test_no_steps_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--networks", "x", "--steps", "0"]) == 2
    assert "--steps takes a whole number from 1" in capsys.readouterr().err
