"""What was found for a face counts as long as everything that it came from is the same."""

from pathlib import Path

import numpy as np
import pytest

from models.expression import provenance as module
from models.expression.provenance import DIGITS, provenance


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a predictor and a student of some bytes."""
    for name in ("predictor", "student"):
        (tmp_path / name).write_bytes(name.encode())
    monkeypatch.setattr(module, "WEIGHTS_FILE", tmp_path / "student")
    return tmp_path


def test_it_changes_with_the_face_the_predictor_the_student_and_the_version(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ws, predictor = np.ones((2, 4), np.float32), files / "predictor"
    seen = [provenance(ws, predictor, who) for who in ("networks", "student")]
    seen.append(provenance(2 * ws, predictor, "student"))
    predictor.write_bytes(b"a better one")
    seen.append(provenance(ws, predictor, "student"))
    by_networks = provenance(ws, predictor, "networks")
    (files / "student").write_bytes(b"it learnt more")
    seen.append(provenance(ws, predictor, "student"))
    assert provenance(ws, predictor, "networks") == by_networks, "there the student has no part in it"
    monkeypatch.setattr(module, "VERSION", 1000)
    seen.append(provenance(ws, predictor, "student"))
    assert len(set(seen)) == len(seen)
    assert {len(digits) for digits in seen} == {DIGITS}


def test_the_last_bits_of_a_code_do_not_count(files: Path) -> None:
    ws = np.array([[0.0, -0.51, 2.02]], np.float32)
    others = [ws + np.float32(1e-6), ws - np.float32(1e-6)]
    assert {provenance(other, files / "predictor", "student") for other in (ws, *others)} == {
        provenance(ws, files / "predictor", "student")
    }
