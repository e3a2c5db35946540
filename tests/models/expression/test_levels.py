"""Strengths by looking: knots lie where the log-odds reach the levels, the person stays, and no step of strength is lost."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from grey_faces import LEVELS, Generator, Networks, eyes

from models.expression.goals import EMOTION_GOALS
from models.expression.levels import CLEAR, LOOKS, SLIGHT, WEAKEST, knots_at, levelled, levels_of
from models.expression.line import Look, farthest
from models.expression.paths import ExpressionPaths
from models.judge.steer import Person, View
from models.labels import EMOTIONS, NEUTRAL

PLACES = np.array([0.0, *LOOKS])
FREE = LOOKS[-1]


def test_knots_lie_where_the_log_odds_reach_the_levels() -> None:
    assert knots_at(-4 + 7 * PLACES, FREE, LEVELS) == pytest.approx([2 / 7, 4.5 / 7, 1.0], abs=1e-4)
    assert knots_at(-4 + 5.6 * PLACES, FREE, LEVELS) == pytest.approx([2 / 5.6, 4.5 / 5.6, 1.25], abs=1e-4), "grows past its end"


def test_a_dip_on_the_way_counts_for_nothing() -> None:
    dipping = -4 + 7 * PLACES
    dipping[2:4] = dipping[1]  # flat, and then as before
    first = knots_at(-4 + 7 * PLACES, FREE, LEVELS)
    assert knots_at(dipping, FREE, LEVELS)[1:] == pytest.approx(first[1:], abs=1e-4)


def test_full_grows_only_as_far_as_the_person_stays_and_shrinks_only_a_little() -> None:
    slow = -4 + 3 * PLACES
    assert knots_at(slow, FREE, LEVELS)[-1] == FREE
    assert knots_at(slow, 1.17, LEVELS)[-1] == pytest.approx(1.17)
    assert knots_at(slow, 0.9, LEVELS)[-1] == pytest.approx(0.9)
    assert knots_at(slow, 0.3, LEVELS)[-1] == WEAKEST
    assert knots_at(-4 + 30 * PLACES, FREE, LEVELS)[-1] == WEAKEST


def test_a_person_stays_as_far_as_a_straight_line_between_looks_says() -> None:
    looks = [Look(0.0, -4.0, 1.0, True), Look(0.5, 0.0, 0.94, True), Look(1.0, 2.0, 0.84, True)]
    assert farthest(looks, 0.8) == 1.0
    assert farthest(looks, 0.89) == pytest.approx(0.75)
    assert farthest([*looks[:2], looks[2]._replace(typical=False)], 0.8) == 0.5
    assert farthest(looks[:1], 0.8) == 0.0


@pytest.mark.parametrize("start", [-20.0, -4.0, 0.0, 10.0])
@pytest.mark.parametrize("slope", [0.0, 3.0, 100.0])
def test_every_step_of_strength_moves_the_face(start: float, slope: float) -> None:
    slight, clear, full = knots_at(start + slope * PLACES, FREE, LEVELS)
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


@pytest.mark.parametrize("emotion", EMOTION_GOALS)
def test_full_grows_as_far_as_the_person_stays(emotion: str) -> None:
    assert full(levelled(Generator(), face(0.6), eyes(Networks())), emotion) == pytest.approx(0.7, abs=0.01)
    lost = full(levelled(Generator(), face(0.6), eyes(Networks(lost=0.63))), emotion)
    assert 0.6 <= lost <= 0.63, "between the look before it is lost and that after"


@pytest.mark.parametrize("floor", [0.85, 0.9, 0.95])
def test_a_person_who_is_lost_sooner_gets_weaker_expressions(floor: float) -> None:
    networks = Networks()

    def person(image: torch.Tensor, view: View) -> Person:
        same = 1 - 0.2 * image.mean()
        return Person(torch.stack([same, (1 - same**2).clamp(min=0) ** 0.5]), torch.tensor(30.0), torch.tensor(0.5))

    networks.person = person  # type: ignore[method-assign]
    seeing = replace(eyes(networks), floors=dict.fromkeys(EMOTION_GOALS, floor))
    expected = np.clip((1 - floor) / 0.2, WEAKEST * 0.7, 0.7)
    assert full(levelled(Generator(), face(0.7), seeing)) == pytest.approx(expected, abs=0.01)


def test_a_code_grows_no_farther_out_than_faces_lie() -> None:
    assert full(levelled(Generator(), face(0.55), eyes(Networks()))) == pytest.approx(0.7, abs=0.01)
    held = levelled(Generator(spread=1.2), face(0.55), eyes(Networks()))  # 1.2 times the end has length 1.32
    assert full(held) == pytest.approx(1.1 * 0.55, abs=0.01)
    assert full(levelled(Generator(spread=1.0), face(0.55), eyes(Networks()))) == pytest.approx(0.9 * 0.55, abs=0.01)


def test_nothing_is_looked_at_past_what_is_enough() -> None:
    networks = Networks()
    levelled(Generator(), face(0.75), eyes(networks))
    assert networks.looks == len(EMOTION_GOALS) * (2 + LOOKS.index(1.0))


def test_levels_are_the_median_at_the_knots() -> None:
    faces = [face(0.3), face(0.5), face(0.9)]
    assert levels_of(Generator(), faces, eyes(Networks()))["sad"] == pytest.approx([1.0], abs=0.02)
