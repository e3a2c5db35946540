"""Training what predicts expressions, with the real generator and networks: a face corrects it, a run goes on where it was."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import shared_data

from models.expression import amortised, predictor
from models.expression.amortised import FIRST_SEED, STILL, Teaching
from models.expression.predictor import PREDICTED
from models.expression.rows import COARSE, FIRST
from models.judge import networks
from tools import train_predictor
from tools.train_predictor import Trainer


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    absent = networks.missing(shared_data.NETWORKS, networks.names("steer", "geometry"))
    if absent or importlib.util.find_spec("onnx2torch") is None:
        pytest.skip(f"needs the package onnx2torch and the networks {', '.join(absent)} in {shared_data.NETWORKS}")
    monkeypatch.setattr(amortised, "CODES", 400)
    return shared_data.NETWORKS


def test_a_face_corrects_neutral_and_some_goals_and_training_goes_on(folder: Path, tmp_path: Path) -> None:
    trainer = Trainer(folder, tmp_path)
    before = {name: matrix.copy() for name, matrix in trainer.trained().matrices.items()}
    losses = trainer.step(1.0)
    assert set(losses) <= set(PREDICTED)
    assert len(losses) == 1 + Teaching().each
    assert all(np.isfinite(loss) for loss in losses.values())
    after = trainer.trained().matrices
    assert {name for name in PREDICTED if not np.array_equal(before[name], after[name])} == set(losses)
    trainer.keep()

    again = Trainer(folder, tmp_path)
    assert again.seed == FIRST_SEED + 1
    for name, matrix in again.trained().matrices.items():
        assert np.array_equal(matrix, after[name])


def test_only_what_is_held_learns(folder: Path, tmp_path: Path) -> None:
    trainer = Trainer(folder, tmp_path, ["fear", "sad"])
    shipped = trainer.predictor.matrices
    assert set(trainer.step(1.0)) == {"fear", "sad"}
    trained = trainer.trained().matrices
    assert {name for name, matrix in trained.items() if not np.array_equal(matrix, shipped[name])} == {"fear", "sad"}
    assert all((trained[name][STILL] == 0).all() for name in ("fear", "sad"))


def test_a_control_that_all_faces_share_learns_as_one_direction(folder: Path, tmp_path: Path) -> None:
    trainer = Trainer(folder, tmp_path, ["squint"])
    shipped = trainer.predictor
    assert set(trainer.step(1.0)) == {"squint"}
    trained = trainer.trained()
    assert set(trained.matrices) == set(PREDICTED)
    assert all(np.array_equal(matrix, shipped.matrices[name]) for name, matrix in trained.matrices.items())
    assert {name for name, offset in trained.controls.items() if not np.array_equal(offset, shipped.controls[name])} == {"squint"}
    assert (trained.controls["squint"][: FIRST + COARSE] == 0).all()
    trainer.keep()
    again = Trainer(folder, tmp_path, ["squint"]).trained()
    assert np.array_equal(again.controls["squint"], trained.controls["squint"])


def test_what_is_held_goes_on_apart_from_what_was_held_before(folder: Path, tmp_path: Path) -> None:
    trainer = Trainer(folder, tmp_path, ["neutral"])
    losses = trainer.step(1.0)
    assert set(losses) == {"neutral"}
    trainer.keep()
    again = Trainer(folder, tmp_path, ["neutral"])
    assert again.seed == trainer.seed
    assert np.array_equal(again.trained().matrices["neutral"], trainer.trained().matrices["neutral"])
    other = Trainer(folder, tmp_path, ["sad"])
    assert other.seed == trainer.seed - 1
    assert np.array_equal(other.trained().matrices["neutral"], trainer.predictor.matrices["neutral"])


def test_the_tool_writes_a_predictor_with_knots_that_rise(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amortised, "CALIBRATED_FACES", 1)
    monkeypatch.setattr(amortised, "SCALES", (1.0,))
    out = tmp_path / "out.safetensors"
    train_predictor.main(["--networks", str(folder), "--minutes", "0", "--work", str(tmp_path), "--out", str(out)])
    for places in predictor.load(out).places.values():
        assert places[-1] == 1
        assert (np.diff(places) >= 0).all()


def test_a_negative_time_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert train_predictor.main(["--networks", "x", "--minutes", "-1"]) == 2
    assert "--minutes takes a number from 0" in capsys.readouterr().err


def test_only_emotions_can_be_held(capsys: pytest.CaptureFixture[str]) -> None:
    assert train_predictor.main(["--networks", "x", "--hold", "fear,blink"]) == 2
    assert "got 'blink'" in capsys.readouterr().err


def test_places_are_made_or_refused_before_it_learns(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train_predictor, "calibrated", lambda trained, *_: trained)
    monkeypatch.setattr(train_predictor, "quick_generator", lambda quality: None)
    arguments = ["--networks", str(folder), "--minutes", "0", "--work", str(tmp_path / "a" / "b")]
    train_predictor.main([*arguments, "--out", str(tmp_path / "p.safetensors")])
    assert (tmp_path / "p.safetensors").is_file()
    assert train_predictor.main([*arguments, "--out", str(tmp_path / "absent" / "p.safetensors")]) == 2
    assert "absent does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--minutes", "3"], ["--hold", "sad"], ["--out", "p.safetensors"], ["--work", "w"]])
@pytest.mark.parametrize("own", [["--as-own"], ["--generator", "absent.pkl"]])
def test_what_an_own_generator_has_no_use_for_is_refused(
    own: list[str], option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_predictor.main([*own, *option]) == 2
    assert capsys.readouterr().err.startswith(f"error: {option[0]} is for the generator that ships")
