"""Curves for TensorBoard: the package may be missing."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from models.errors import UserError
from tools import train_emotion
from tools.training_curves import curves_in


def test_without_the_package_it_is_one_line_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setattr(train_emotion, "prepare", lambda *_: pytest.fail("work was done"))
    words = ["--data", str(tmp_path), "--work", str(tmp_path / "work"), "--folds", "--tensorboard", str(tmp_path / "curves")]
    assert train_emotion.main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "pip install tensorboard" in error


def test_points_reach_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points: list[tuple[str, float, int]] = []

    class SummaryWriter:
        def __init__(self, folder: str) -> None:
            assert Path(folder) == tmp_path / "new"

        def add_scalar(self, name: str, value: float, step: int) -> None:
            points.append((name, value, step))

    package = ModuleType("torch.utils.tensorboard")
    package.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", package)
    curves_in(tmp_path / "new")("loss/fold0", 50, 0.5)
    assert points == [("loss/fold0", 0.5, 50)]


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("torch.utils.tensorboard")
    package.SummaryWriter = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", package)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="can't be written"):
        curves_in(tmp_path / "file")
