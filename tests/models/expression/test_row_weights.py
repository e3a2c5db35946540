"""Rows that cost the person more than they show of an emotion count less, the others more."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from grey_faces import eyes

from models.errors import UserError
from models.expression import predictor
from models.expression.predictor import PREDICTED, PathPredictor
from models.expression.row_weights import LEAST, MOST, weighed, weights_of
from models.judge.steer import STILL, Jitter, Person, View
from models.labels import EMOTIONS

WHOLE = np.array([1.0, 0.02])
ROWS, WIDTH = 5, 4  # 1…5 of six rows; emotions move 3, 4 and 5
SHOWS = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 0.2])  # of the emotion, by row
COSTS = torch.tensor([0.0, 0.0, 0.0, 0.1, 0.3, 0.3])  # of the person


def test_a_row_that_shows_as_much_for_its_price_as_the_whole_keeps_its_weight() -> None:
    assert weights_of(np.array([[0.2, 0.004], [0.5, 0.01]]), WHOLE) == pytest.approx([1, 1])


def test_dear_rows_count_less_and_cheap_ones_more_within_limits() -> None:
    rows = np.array([[0.9, 0.0225], [0.9, 0.016], [0.3, 0.02], [0.3, -0.01], [-0.2, 0.001]])
    dear, cheap, too_dear, gains, shows_nothing = weights_of(rows, WHOLE)
    assert (dear, cheap) == pytest.approx((0.775, 1.1))
    assert (too_dear, shows_nothing, gains) == pytest.approx((LEAST, LEAST, MOST))


def test_of_a_row_that_shows_little_little_is_known() -> None:
    assert weights_of(np.array([[0.01, 0.0004]]), WHOLE) == pytest.approx([1 - 0.01 / 0.11], abs=1e-4)


class Drawn:
    """The redder a picture the more of the emotion, the greener the farther from the person."""

    num_ws, graph_hash = 6, "hash"

    def synthesis(self, ws: torch.Tensor) -> torch.Tensor:
        rows = ws[0].mean(-1)
        return torch.stack([rows @ SHOWS, rows @ COSTS, torch.zeros(())])[None, :, None, None].expand(1, 3, 4, 4) - 1

    def rows_read(self, resolution: int) -> int:
        return self.num_ws

    def code_of_seed(self, seed: int) -> torch.Tensor:
        return torch.zeros(1, WIDTH)

    def broadcast(self, w: torch.Tensor) -> torch.Tensor:
        return w[:, None].repeat(1, self.num_ws, 1)


class Seeing:
    """What `Drawn` draws."""

    def expression(self, image: torch.Tensor, view: View, jitters: Sequence[Jitter] = STILL) -> torch.Tensor:
        return torch.nn.functional.logsigmoid(-2 + 8 * image[0, 0].mean()).expand(2, len(jitters), len(EMOTIONS))

    def person(self, image: torch.Tensor, view: View) -> Person:
        angle = image[0, 1].mean()
        return Person(torch.stack([angle.cos(), angle.sin()]), torch.tensor(30.0), torch.tensor(0.5))

    def points(self, image: torch.Tensor, view: View) -> torch.Tensor:
        raise AssertionError("weights need no landmarks")

    def sides(self, points: torch.Tensor) -> torch.Tensor:
        raise AssertionError("weights need no landmarks")


@pytest.fixture
def plain() -> PathPredictor:
    matrices = {name: np.full((ROWS, WIDTH, 2), 0.25, np.float32) for name in PREDICTED}
    matrices["neutral"] = 0 * matrices["neutral"]
    places = {emotion: np.array([0.3, 0.6, 1.0], np.float32) for emotion in ("angry", "fear", "happy", "sad")}
    smile = np.zeros(WIDTH + 1, np.float32)
    return PathPredictor(np.zeros(WIDTH, np.float32), np.zeros((0, WIDTH), np.float32), smile, matrices, places, {}, "hash")


def test_rows_are_weighed_by_what_is_seen(plain: PathPredictor) -> None:
    told: list[str] = []
    found = weighed(plain, Drawn(), eyes(Seeing()), ["fear"], [1, 2], told.append)
    one, two, three, four, five = found.row_weights["fear"]
    assert (one, two) == (1, 1), "emotions leave these rows alone"
    assert three > four > five
    assert three > 1 > five
    assert told == [f"fear: row 3 × {three:.2f}, row 4 × {four:.2f}, row 5 × {five:.2f}"]
    again = weighed(found, Drawn(), eyes(Seeing()), ["fear"], [1, 2], told.append)
    assert np.allclose(again.row_weights["fear"], found.row_weights["fear"]), "what was weighed before counts for nothing"


def test_weights_count_in_predictions_are_kept_in_files_and_can_become_part_of_the_matrices(
    plain: PathPredictor, tmp_path: Path
) -> None:
    weights = np.array([1, 1, 1.2, 0.9, 0.6], np.float32)
    heavy = replace(plain, row_weights={"sad": weights})
    ws = np.ones((6, WIDTH), np.float32)
    assert np.allclose(heavy.offset("sad", ws)[1:], weights[:, None] * plain.offset("sad", ws)[1:])
    assert np.array_equal(heavy.offset("fear", ws), plain.offset("fear", ws))
    heavy.save(tmp_path / "heavy.safetensors")
    kept = predictor.load(tmp_path / "heavy.safetensors")
    assert np.array_equal(kept.row_weights["sad"], weights)
    assert not kept.with_plain_rows().row_weights
    assert np.allclose(kept.with_plain_rows().offset("sad", ws), kept.offset("sad", ws), atol=1e-6)


@pytest.mark.parametrize("weights", [{"sad": np.ones(4, np.float32)}, {"poem": np.ones(ROWS, np.float32)}])
def test_weights_that_fit_nothing_are_refused(plain: PathPredictor, tmp_path: Path, weights: dict[str, np.ndarray]) -> None:
    replace(plain, row_weights=weights).save(tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="damaged"):
        predictor.load(tmp_path / "other.safetensors")
