"""The steering networks: the same verdicts as on real crops, and a gradient that reaches the picture."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
import shared_data
import torch

from models.judge import networks
from models.judge.measure import Blendshapes, Detector, Landmarks
from models.judge.steer import Jitter, PublishedNetworks, View, sample
from models.judge.verdict import lopsided
from models.labels import EMOTIONS

PHOTOS = shared_data.PHOTOS


@pytest.fixture(scope="module")
def folder() -> Path:
    if importlib.util.find_spec("onnx2torch") is None:
        pytest.skip("needs the package onnx2torch")
    absent = networks.missing(shared_data.NETWORKS, networks.names("steer", "geometry"))
    if absent or not PHOTOS.is_dir():
        pytest.skip(f"needs photographs in {PHOTOS} and the networks {', '.join(absent) or 'of that folder'}")
    return shared_data.NETWORKS


def test_sample_reads_the_square_it_is_given() -> None:
    image = torch.arange(64.0).view(1, 1, 8, 8).expand(1, 3, 8, 8) / 64
    view = View(0.5, 0.5, 0.5, 0.0)
    crop = sample(image, view.matrix(1.0)[None], 4)
    assert torch.allclose(crop, image[:, :, 2:6, 2:6])
    mirrored = sample(image, view.matrix(1.0, jitter=Jitter(mirrored=True))[None], 4)
    assert torch.allclose(mirrored, crop.flip(3))


def test_level_view_undoes_the_roll() -> None:
    view = View(0.5, 0.5, 0.4, float(np.radians(30)))
    across = view.matrix(1.0, level=True)[:, :2] @ torch.tensor([1.0, 0.0])
    assert torch.atan2(across[1], across[0]).item() == pytest.approx(np.radians(30), abs=1e-6)


def test_smile_is_seen_and_every_network_gives_a_gradient(folder: Path) -> None:
    picture = np.ascontiguousarray(cv2.imread(str(PHOTOS / "astronaut_collins.jpg"))[..., ::-1])
    face = Detector(folder)(picture)
    view = View.of(face, picture.shape[1])
    steering = PublishedNetworks(folder)
    image = (torch.from_numpy(picture).permute(2, 0, 1)[None] / 255).requires_grad_()

    verdicts = steering.expression(image, view, [Jitter(), Jitter(mirrored=True)])
    assert verdicts.shape == (2, 2, len(EMOTIONS))
    assert (verdicts.exp().mean((0, 1)).argmax()).item() == EMOTIONS.index("happy")
    points = steering.points(image, view)
    assert np.abs(points.detach().numpy() * picture.shape[1] - Landmarks(folder)(picture, face)).max() < 0.03 * face.side

    sides = steering.sides(points)
    even = lopsided(Blendshapes(folder)(points.detach().numpy()))
    assert np.abs(np.array(list(even.values())) - sides.detach().numpy()).max() < 1e-3

    person = steering.person(image, view)
    assert person.embedding.norm().item() == pytest.approx(1, abs=1e-5)
    assert 15 < person.age < 60
    read = (person.embedding.sum(), person.age, person.man, points.sum(), sides.square().sum())
    for result in (verdicts[0, :, 0].sum(), verdicts[1, :, 0].sum(), *read):
        (gradient,) = torch.autograd.grad(result, image, retain_graph=True)
        assert gradient.isfinite().all()
        assert gradient.abs().max() > 0
