"""What a rig's controls move, counted by hand, and their table."""

import numpy as np
import pytest

from models.expression.goals import RIG_GOALS
from models.expression.paths import ExpressionPaths
from models.judge.crops import FaceBox
from models.judge.landmarks import BLENDSHAPES
from models.judge.verdict import Reading
from tools.rig_figures import CONTROLS, SHAPES, Effect, alike, effect, rig_figures, table, wanted


def reading(jaw: float = 0.0, **shapes: float) -> Reading:
    """A face of 100 pixels from its top to its chin, its lower lip `jaw` pixels farther down."""
    points = np.zeros((478, 2), np.float32)
    points[10], points[152] = (50, 0), (50, 100)
    points[33], points[263] = (20, 30), (80, 30)
    points[13], points[14] = (50, 70), (50, 71 + jaw)
    scores = dict.fromkeys(BLENDSHAPES, 0.25) | shapes
    nothing = np.zeros(5, np.float32)
    box = FaceBox(0, 0, 100, 100, np.zeros((5, 2), np.float32), 1.0)
    return Reading(np.zeros((8, 8, 3), np.uint8), box, points, nothing, nothing, nothing, np.array([1.0, jaw, 0]), scores)


def test_both_sides_of_a_blendshape_count_and_gaze_is_to_the_subjects_left() -> None:
    assert {name for names in SHAPES.values() for name in names} <= set(BLENDSHAPES)
    found = effect(reading(), reading(6, jawOpen=0.75, eyeBlinkLeft=0.75, eyeLookOutLeft=0.35, eyeLookInRight=0.45))
    assert found.movement["lip_gap"] == pytest.approx(6)
    assert found.movement["pitch"] == 0
    assert found.movement["yaw"] == 6
    assert found.blendshapes["jawOpen"] == 0.5
    assert found.blendshapes["eyeBlink"] == 0.25
    assert found.blendshapes["eyeLookOut/In"] == pytest.approx(0.15)
    assert found.blendshapes["mouthSmile"] == 0


def test_of_several_faces_the_mean_stands_beside_what_is_wanted() -> None:
    figures = rig_figures(
        {"gaze": [Effect({"gaze": 1, "yaw": 2}, {"jawOpen": 0}), Effect({"gaze": 2, "yaw": 4}, {"jawOpen": 0.5})]}
    )
    assert figures == {
        "gaze": {"movement": {"gaze": 1.5, "yaw": 3}, "wanted": {"gaze": (1.8, 3)}, "blendshapes": {"jawOpen": 0.25}}
    }
    assert wanted("yaw") == {"yaw": (5.5, 6.5)}
    assert all(wanted(control) for control in CONTROLS)


def test_a_control_is_bold_in_what_it_is_for_and_only_there() -> None:
    one = Effect({"lids": -1.04, "brow_inner": 0.3, "yaw": 0.1}, {"eyeBlink": 0.126})
    assert table(rig_figures({"squint": [one], "yaw": [one]})) == (
        "|  | lids | brow inner | yaw | wanted |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| `squint` | **-1.0** | 0.3 | 0.1 | lids -2 to -1.3, brow inner -0.5 to 0.5 |\n"
        "| `yaw` | -1.0 | 0.3 | **0.1** | yaw 5.5 to 6.5 |\n\n"
        "|  | eyeBlink |\n"
        "| --- | --- |\n"
        "| `squint` | 0.13 |\n"
        "| `yaw` | 0.13 |"
    )


def test_controls_that_are_one_axis_are_told() -> None:
    def along(*parts: float) -> np.ndarray:
        offset = np.zeros((23, 4), np.float32)
        offset[3, : len(parts)] = parts
        return offset

    rig = {"brow_up": along(2), "brow_down": along(-1), "smile": along(0, 1), "pucker": along(1, -0.5)}
    face = ExpressionPaths(np.zeros((23, 4), np.float32), np.zeros((5, 1, 23, 4), np.float32), rig, "hash", "seed:1")
    assert alike([face]) == pytest.approx(
        {"brow_up – brow_down": -1, "brow_up – pucker": 0.8**0.5, "brow_down – pucker": -(0.8**0.5)}
    )
    assert set(rig) < set(RIG_GOALS), "controls that a face lacks are left out"
