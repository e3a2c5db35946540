"""Engines ahead of a show: built and named for the GPUs asked for, refused in one line for others."""

from pathlib import Path

import pytest
from reference_generators import official_pickle

from engine import tensorrt
from models.stylegan import converted
from tools.build_engine import main

pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT for RTX is not installed: pip install the extra tensorrt-rtx")


def test_an_engine_is_built_and_its_place_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(tensorrt, "cache_folder", lambda name="": tmp_path)
    assert main(["--size", "256", "--for", "8.6"]) == 0
    (built,) = tmp_path.glob("*.engine")
    assert str(built) in capsys.readouterr().out


def test_an_unknown_capability_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--size", "256", "--for", "1.0"]) == 2
    assert "choose from" in capsys.readouterr().err


def test_an_engine_of_an_own_generator_is_built_in_its_own_size(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(tensorrt, "cache_folder", lambda name="": tmp_path)
    monkeypatch.setattr(converted, "cache_folder", lambda name: tmp_path / name)
    (tmp_path / "own.pkl").write_bytes(official_pickle("sg2-32"))
    assert main(["--generator", str(tmp_path / "own.pkl"), "--for", "8.6"]) == 0
    assert "32²: " in capsys.readouterr().out
    assert len(list(tmp_path.glob("*.engine"))) == 1
