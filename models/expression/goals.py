"""What each expression is, in two languages: the class that expression networks should see, and the movement of face parts.

The movements follow the action units that Ekman and Friesen's EMFACS gives each emotion: happy 6 + 12, sad 1 + 4 + 15,
angry 4 + 7 + 23, fear 1 + 2 + 4 + 5 + 20 + 26. They keep a search from pleasing a classifier with the wrong face: a squint for
sadness, a frown for fear. A range costs nothing inside.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from models.labels import EMOTIONS

AXES: Final = ("pitch", "yaw", "roll")  # about which a head turns, as `landmarks.pose` gives them
Region = Literal["face", "mouth", "eyes", "brows"]
Range = tuple[float, float]


@dataclass(frozen=True)
class Goal:
    """Where a walk should lead.

    emotion    the class to be seen (index into `EMOTIONS`), or None where only movements count
    movements  name of `geometry.MEASURES` → (least, most), in hundredths of the face's height more than at the start
    region     the part of the picture that may change
    turns      one of `AXES` → (least, most), in degrees that the head turns from the start; about the others it should not
    """

    emotion: int | None
    movements: Mapping[str, Range] = field(default_factory=dict)
    region: Region = "face"
    turns: Mapping[str, Range] = field(default_factory=dict)

    def mirrored(self) -> "Goal":
        """The same the other way."""

        def back(ranges: Mapping[str, Range]) -> Mapping[str, Range]:
            return {name: (-most, -least) for name, (least, most) in ranges.items()}

        return replace(self, movements=back(self.movements), turns=back(self.turns))


NEUTRAL_GOAL: Final = Goal(EMOTIONS.index("neutral"))

EMOTION_GOALS: Final[Mapping[str, Goal]] = {
    name: Goal(EMOTIONS.index(name), movements)
    for name, movements in {
        "angry": {
            "brow_inner": (-3.5, -1.5),
            "brow_outer": (-1.5, 0.5),
            "lids": (-0.6, 0.5),
            "lip_gap": (-1, 0.3),
            "mouth_corners": (-2, -0.2),
        },
        "fear": {
            "brow_inner": (2.2, 4),
            "brow_outer": (1.0, 2.5),
            "lids": (0.7, 1.5),
            "lip_gap": (3.5, 7),
            "jaw": (1.5, 6),
            "mouth_corners": (-3, -0.3),
            "mouth_width": (-4, 0.5),
        },
        "happy": {
            "brow_inner": (-0.7, 1.5),
            "lids": (-1.2, 0.0),
            "lip_gap": (2, 6),
            "jaw": (-3, 2),
            "mouth_corners": (0.8, 3),
            "mouth_width": (5, 11),
        },
        "sad": {
            "brow_inner": (1.5, 3),
            "brow_outer": (-1.5, 0.3),
            "lids": (-0.7, 0.3),
            "lip_gap": (-1, 0.3),
            "mouth_corners": (-2.5, -0.7),
        },
    }.items()
}

RIG_GOALS: Final[Mapping[str, Goal]] = {
    "mouth_open": Goal(None, {"lip_gap": (6, 8.5), "jaw": (3, 8), "mouth_width": (-5, 0), "mouth_corners": (-4, 0)}, "mouth"),
    "blink": Goal(None, {"lids": (-9, -4.5)}, "eyes"),
    "brow_up": Goal(None, {"brow_inner": (1.5, 2.5), "brow_outer": (1.5, 2.5), "lids": (-0.2, 0.6)}, "brows"),
    "brow_down": Goal(None, {"brow_inner": (-3.5, -2.2), "brow_outer": (-3.0, -1.6), "lids": (-0.3, 0.3)}, "brows"),
    "squint": Goal(None, {"lids": (-2.0, -1.3), "brow_inner": (-0.5, 0.5)}, "eyes"),
    "gaze": Goal(None, {"gaze": (1.8, 3)}, "eyes"),  # to the subject's left; −1 is to the right
    "smile": Goal(None, {"mouth_corners": (0.8, 2), "mouth_width": (5.5, 9), "lip_gap": (-0.5, 0.5)}, "mouth"),
    "pucker": Goal(None, {"mouth_width": (-10, -7), "lip_gap": (-0.5, 0.5)}, "mouth"),
}
TURN_GOALS: Final[Mapping[str, Goal]] = {
    "yaw": Goal(None, turns={"yaw": (5.5, 6.5)}),
    "pitch": Goal(None, turns={"pitch": (4.5, 5.5)}),
}
SEARCHED: Final = ("mouth_open", "blink")  # controls that must look right on every face
SHARED: Final = (*(control for control in RIG_GOALS if control not in SEARCHED), *TURN_GOALS)  # the same for all faces
SIGNED: Final = ("gaze", *TURN_GOALS)  # controls from −1 to 1
