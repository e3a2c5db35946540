"""The objective: nothing to pay at the start, and each term for its own kind of change."""

import cv2
import numpy as np
import pytest
import torch
from face_meshes import mesh
from torch import Tensor

from models.expression.geometry import MEASURES
from models.expression.goals import EMOTION_GOALS, NEUTRAL_GOAL, RIG_GOALS, Goal
from models.expression.objective import EVEN, STEADY, Objective, Start, Weights
from models.judge.landmarks import POSE_MODEL, POSE_POINTS
from models.judge.steer import STILL, Jitter, Person, View
from models.labels import EMOTIONS

SIDE = 128
VIEW = View(0.5, 0.5, 0.6, 0.0)


class ReadsCorner:
    """Steering that sees everything in three pixels of the lower right corner: red = happy, green = who, blue = moved."""

    def expression(self, picture: Tensor, view: View, jitters: tuple[Jitter, ...] = STILL) -> Tensor:
        happy = picture[0, 0, -1, -1]
        logits = 10 * happy * torch.eye(5)[EMOTIONS.index("happy")]
        return logits.log_softmax(0).expand(2, len(jitters), 5)

    def person(self, picture: Tensor, view: View) -> Person:
        turn = picture[0, 1, -1, -1]
        return Person(torch.stack([turn.cos(), turn.sin()]), 30 + 50 * turn, turn)

    def points(self, picture: Tensor, view: View) -> Tensor:
        return mesh() + 0.1 * picture[0, 2, -1, -1]

    def sides(self, points: Tensor) -> Tensor:
        """One movement: as much more on the left as the mesh was moved."""
        return 8 * (points - mesh()).mean().reshape(1)


def terms(goal: Goal, picture: Tensor) -> dict[str, float]:
    start = Start(ReadsCorner(), torch.zeros(1, 3, SIDE, SIDE), VIEW)
    return {name: float(value) for name, value in Objective(ReadsCorner(), start, goal)(picture, STILL).items()}


HAPPY = Goal(EMOTIONS.index("happy"))


def test_the_start_pays_for_the_emotion_only() -> None:
    paid = terms(HAPPY, torch.zeros(1, 3, SIDE, SIDE))
    assert paid.pop("emotion") > 1
    assert all(value == pytest.approx(0, abs=1e-6) for value in paid.values())


@pytest.mark.parametrize(("channel", "changed"), [(1, {"identity", "age", "gender"}), (2, {"pose"})])
def test_who_and_where_are_paid_for(channel: int, changed: set[str]) -> None:
    picture = torch.zeros(1, 3, SIDE, SIDE)
    picture[0, channel, -1, -1] = 0.2
    paid = terms(HAPPY, picture)
    assert {name for name in ("identity", "age", "gender", "pose") if paid[name] > 1e-3} == changed


def test_sides_may_differ_a_little_and_cost_beyond_it() -> None:
    picture = torch.zeros(1, 3, SIDE, SIDE)
    picture[0, 2, -1, -1] = EVEN
    assert terms(HAPPY, picture)["sides"] == 0  # 0.8 of it
    picture[0, 2, -1, -1] = 0.2  # 0.16
    assert terms(HAPPY, picture)["sides"] == pytest.approx(Weights().sides * (0.16 - EVEN) ** 2, rel=1e-3)


class Head:
    """Steering that sees a head from the front, `yaw` of whose degrees are the blue of the corner."""

    expression, person, sides = ReadsCorner.expression, ReadsCorner.person, ReadsCorner.sides

    def points(self, picture: Tensor, view: View) -> Tensor:
        points = mesh()
        turned = POSE_MODEL @ cv2.Rodrigues(np.radians([0.0, 30 * float(picture[0, 2, -1, -1]), 0.0]))[0].T
        seen = turned[:, :2] * [1, -1] / (70 - turned[:, 2:])
        points[list(POSE_POINTS)] = torch.from_numpy(0.5 + 2 * seen).float()
        return points


@pytest.mark.parametrize(("yaw", "cost"), [(0.9, 0.0), (3.0, 4.0), (-3.0, 4.0)])
def test_a_head_turns_for_nothing_only_a_little(yaw: float, cost: float) -> None:
    picture = torch.zeros(1, 3, SIDE, SIDE)
    start = Start(Head(), picture, VIEW)
    picture[0, 2, -1, -1] = yaw / 30
    paid = Objective(Head(), start, HAPPY, Weights(turn=1.0))(picture, STILL)
    assert float(paid["turn"]) == pytest.approx(cost, rel=0.15, abs=1e-3)


@pytest.mark.parametrize(("yaw", "cost"), [(0.0, 5.0), (3.0, 2.0), (6.0, 0.0), (-2.0, 7.0)])
def test_a_head_that_should_turn_pays_for_what_is_short_and_for_no_other_place(yaw: float, cost: float) -> None:
    goal = Goal(None, turns={"yaw": (5.5, 6.5)})
    picture = torch.zeros(1, 3, SIDE, SIDE)
    start = Start(Head(), picture, VIEW)
    picture[0, 2, -1, -1] = -yaw / 30  # `Head` counts the other way
    paid = Objective(Head(), start, goal, Weights(turn=1.0))(picture, STILL)
    assert float(paid["yaw"]) == pytest.approx(cost, rel=0.15, abs=0.02)
    assert float(paid["turn"]) == pytest.approx(0, abs=1e-3)
    assert "pose" not in paid
    back = Objective(Head(), start, goal.mirrored(), Weights(turn=1.0))(picture, STILL)
    assert float(back["yaw"]) == pytest.approx(5.0 + yaw, rel=0.15)


def test_the_wanted_class_costs_less() -> None:
    picture = torch.zeros(1, 3, SIDE, SIDE)
    picture[0, 0, -1, -1] = 0.9
    assert terms(HAPPY, picture)["emotion"] < 0.1 * terms(HAPPY, picture * 0)["emotion"]


def test_only_changes_outside_the_region_cost_picture_and_only_skin_costs_colour() -> None:
    background, eye, chin = (torch.zeros(1, 3, SIDE, SIDE) for _ in range(3))
    background[..., :10, :10] = 0.5
    eye[..., 56:59, 50:53] = 0.5
    chin[..., 90:100, 60:70] = 0.5
    assert terms(HAPPY, background)["picture"] > 0.1
    assert terms(HAPPY, background)["colour"] == 0
    assert terms(HAPPY, eye)["picture"] < 1e-3
    assert terms(HAPPY, chin)["colour"] > 0.01
    assert terms(RIG_GOALS["blink"], chin)["picture"] > 0.05
    assert terms(RIG_GOALS["mouth_open"], eye)["picture"] > 5e-3
    assert terms(RIG_GOALS["mouth_open"], chin)["picture"] < terms(RIG_GOALS["blink"], chin)["picture"] / 2


def test_movements_short_of_a_goal_cost_and_arriving_does_not() -> None:
    goal = Goal(None, {"lids": (-0.5, 0.5)})
    assert "emotion" not in terms(goal, torch.zeros(1, 3, SIDE, SIDE))
    assert terms(goal, torch.zeros(1, 3, SIDE, SIDE))["movement"] == 0
    short = Goal(None, {"lids": (1.0, 2.0)})
    assert terms(short, torch.zeros(1, 3, SIDE, SIDE))["movement"] == pytest.approx(0.5)
    far = Goal(None, {"lids": (5.0, 6.0)})
    assert terms(far, torch.zeros(1, 3, SIDE, SIDE))["movement"] == pytest.approx(4.5)


def test_goals_name_measures_that_exist_and_ranges_that_are_ranges() -> None:
    for goal in (NEUTRAL_GOAL, *EMOTION_GOALS.values(), *RIG_GOALS.values()):
        for name, (least, most) in goal.movements.items():
            assert name in MEASURES
            assert least < most
    assert set(EMOTION_GOALS) | {"neutral"} == set(EMOTIONS)
    assert max(STEADY) < 478
