"""The measuring networks on real photographs, where they and their networks are at hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import shared_data

from models.errors import UserError
from models.judge import networks
from models.judge.crops import Picture
from models.judge.landmarks import MOUTH_CORNERS, POSE_POINTS, pose
from models.judge.measure import Blendshapes, Detector, Facemood, Fer, Landmarks, SFace
from models.labels import EMOTIONS

PHOTOS = shared_data.PHOTOS


@pytest.fixture(scope="module")
def folder() -> Path:
    absent = networks.missing(shared_data.NETWORKS, networks.names("judge", "geometry"))
    if absent or not PHOTOS.is_dir():
        pytest.skip(f"needs photographs in {PHOTOS} and the networks {', '.join(absent) or 'of that folder'}")
    return shared_data.NETWORKS


def photo(name: str) -> Picture:
    return np.ascontiguousarray(cv2.imread(str(PHOTOS / f"{name}.jpg"))[..., ::-1])


def test_a_smile_is_happy_and_the_same_person_in_another_size(folder: Path) -> None:
    detect, identify = Detector(folder), SFace(folder)
    smiling = photo("bluford")
    face = detect(smiling)
    assert EMOTIONS[int(Fer(folder)(smiling, face).argmax())] == "happy"
    assert EMOTIONS[int(Facemood(folder)(smiling, face).argmax())] == "happy"

    larger = np.asarray(cv2.resize(smiling, None, fx=1.5, fy=1.5), np.uint8)
    other = photo("astronaut_collins")
    shapes = Blendshapes(folder)(Landmarks(folder)(smiling, face))
    assert shapes["mouthSmileLeft"] > 0.6
    assert shapes["mouthSmileRight"] > 0.6
    assert shapes["mouthFrownLeft"] < 0.1
    who = identify(smiling, face)
    assert float(who @ identify(larger, detect(larger))) > 0.9
    assert float(who @ identify(other, detect(other))) < 0.363


def test_landmarks_lie_on_the_face_and_pose_mirrors(folder: Path) -> None:
    detect, mesh = Detector(folder), Landmarks(folder)
    picture = photo("bluford")
    face = detect(picture)
    points = mesh(picture, face)
    corners = face.points[3:]
    assert np.abs(points[list(MOUTH_CORNERS)] - corners).max() < 0.08 * face.side
    assert len(POSE_POINTS) >= 6

    mirrored = np.ascontiguousarray(picture[:, ::-1])
    pitch, yaw, roll = pose(points, picture.shape[1])
    pitch_m, yaw_m, roll_m = pose(mesh(mirrored, detect(mirrored)), picture.shape[1])
    assert abs(pitch - pitch_m) < 4
    assert abs(yaw + yaw_m) < 4
    assert abs(roll + roll_m) < 4


def test_no_face_is_said(folder: Path) -> None:
    with pytest.raises(UserError, match="none was found"):
        Detector(folder)(np.full((200, 300, 3), 127, np.uint8))
