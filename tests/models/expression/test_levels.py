"""Strengths by looking: knots lie where the log-odds reach the levels, the person stays, and no step of strength is lost."""

import numpy as np
import pytest
import torch
from grey_faces import LEVELS, Generator, Networks, eyes

from models.expression.goals import EMOTION_GOALS
from models.expression.levels import CLEAR, GROWS, LOOKS, SLIGHT, WEAKEST, knots_at, levelled, levels_of
from models.expression.line import SURER
from models.expression.paths import ExpressionPaths
from models.judge.steer import Person
from models.labels import EMOTIONS, NEUTRAL

PLACES = np.array([0.0, *LOOKS])
STAYS = [True] * len(PLACES)


def test_knots_lie_where_the_log_odds_reach_the_levels() -> None:
    assert knots_at(-4 + 7 * PLACES, STAYS, LEVELS) == pytest.approx([2 / 7, 4.5 / 7, 1.0], abs=1e-4)
    assert knots_at(-4 + 5.6 * PLACES, STAYS, LEVELS) == pytest.approx([2 / 5.6, 4.5 / 5.6, 1.25], abs=1e-4), "grows past its end"


def test_a_dip_on_the_way_counts_for_nothing() -> None:
    dipping = -4 + 7 * PLACES
    dipping[2:4] = dipping[1]  # flat, and then as before
    first = knots_at(-4 + 7 * PLACES, STAYS, LEVELS)
    assert knots_at(dipping, STAYS, LEVELS)[1:] == pytest.approx(first[1:], abs=1e-4)


def test_full_grows_only_as_far_as_the_person_stays_and_shrinks_only_a_little() -> None:
    slow = -4 + 3 * PLACES
    assert knots_at(slow, STAYS, LEVELS)[-1] == LOOKS[-1]
    lost = [place <= 1.2 for place in PLACES]
    assert knots_at(slow, lost, LEVELS)[-1] == pytest.approx(1.2)
    assert knots_at(slow, [place <= 1 for place in PLACES], LEVELS)[-1] == 1.0
    assert knots_at(slow, [place <= 0.9 for place in PLACES], LEVELS)[-1] == pytest.approx(0.9)
    assert knots_at(slow, [place <= 0.5 for place in PLACES], LEVELS)[-1] == WEAKEST
    assert knots_at(-4 + 30 * PLACES, STAYS, LEVELS)[-1] == WEAKEST


@pytest.mark.parametrize("start", [-20.0, -4.0, 0.0, 10.0])
@pytest.mark.parametrize("slope", [0.0, 3.0, 100.0])
def test_every_step_of_strength_moves_the_face(start: float, slope: float) -> None:
    slight, clear, full = knots_at(start + slope * PLACES, STAYS, LEVELS)
    assert SLIGHT[0] * full <= slight <= SLIGHT[1] * clear
    assert CLEAR[0] * full <= clear <= CLEAR[1] * full


def face(length: float) -> ExpressionPaths:
    paths = np.zeros((len(EMOTIONS), 1, 2, 4), np.float32)
    paths[[EMOTIONS.index(emotion) for emotion in EMOTION_GOALS]] = length
    return ExpressionPaths(np.zeros((2, 4), np.float32), paths, {"blink": np.ones((2, 4), np.float32)}, "hash", "seed:1")


@pytest.mark.parametrize("length", [0.6, 0.7, 0.85])
def test_faces_that_need_more_or_less_of_a_line_end_at_the_same_levels(length: float) -> None:
    even = levelled(Generator(), face(length), eyes(Networks()))
    assert even.paths.shape == (len(EMOTIONS), 3, 2, 4)
    assert even.paths[EMOTIONS.index("sad")].mean((1, 2)) == pytest.approx([0.2, 0.45, 0.7], abs=0.01)
    assert not even.paths[NEUTRAL].any()
    assert np.array_equal(even.rig["blink"], face(length).rig["blink"])


def full(levelled_face: ExpressionPaths, emotion: str = "happy") -> float:
    return float(levelled_face.paths[EMOTIONS.index(emotion), -1].mean())


def test_a_person_who_would_be_lost_grows_no_further() -> None:
    assert full(levelled(Generator(), face(0.55), eyes(Networks(lost=0.6)))) == pytest.approx(0.55, abs=0.01)


@pytest.mark.parametrize("emotion", EMOTION_GOALS)
def test_only_some_emotions_grow_past_what_was_found(emotion: str) -> None:
    grown = levelled(Generator(), face(0.6), eyes(Networks()))
    assert full(grown, emotion) == pytest.approx(0.7 if emotion in GROWS else 0.6, abs=0.01)


@pytest.mark.parametrize(("cosine", "grows"), [(0.0, True), (SURER / 2, False), (2 * SURER, True)])
def test_growing_needs_a_surer_person_than_a_search(cosine: float, grows: bool) -> None:
    networks = Networks()
    same = eyes(networks).same_person + cosine if cosine else 1.0
    networks.person = lambda image, view: Person(  # type: ignore[method-assign]
        torch.tensor([1.0, 0.0]) if image.mean() <= 0 else torch.tensor([same, (1 - same**2) ** 0.5]),
        torch.tensor(30.0),
        torch.tensor(0.5),
    )
    assert (full(levelled(Generator(), face(0.6), eyes(networks))) > 0.6 + 1e-3) == grows


def test_a_code_grows_no_farther_out_than_faces_lie() -> None:
    assert full(levelled(Generator(), face(0.55), eyes(Networks()))) == pytest.approx(0.7, abs=0.01)
    held = levelled(Generator(spread=1.2), face(0.55), eyes(Networks()))  # 1.2 times the end has length 1.32
    assert full(held) == pytest.approx(0.55, abs=0.01)
    assert full(levelled(Generator(spread=1.0), face(0.55), eyes(Networks()))) == pytest.approx(0.9 * 0.55, abs=0.01)


def test_nothing_is_looked_at_past_what_is_enough() -> None:
    networks = Networks()
    levelled(Generator(), face(0.75), eyes(networks))
    assert networks.looks == len(EMOTION_GOALS) * (2 + LOOKS.index(1.0))


def test_levels_are_the_median_at_the_knots() -> None:
    faces = [face(0.3), face(0.5), face(0.9)]
    assert levels_of(Generator(), faces, eyes(Networks()))["sad"] == pytest.approx([1.0], abs=0.02)
