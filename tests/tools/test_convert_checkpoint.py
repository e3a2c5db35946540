"""The command: what it says, what it writes, and one line where it can't."""

from pathlib import Path

import pytest
from reference_generators import REFERENCE, Network, official_pickle

from models.stylegan.converted import load_folder
from tools.convert_checkpoint import main


def test_a_checkpoint_becomes_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, folder = tmp_path / "network.pkl", tmp_path / "generator"
    source.write_bytes(official_pickle("sg3t-32"))
    assert main([str(source), "--out", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "stylegan3-t, 32², 16 rows of 64" in told
    assert "Copyright of the test" in told
    assert load_folder(folder).num_ws == 16


def test_a_missing_licence_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(REFERENCE / "rosinality-64.pt"), "--out", str(tmp_path / "generator")]) == 0
    assert "no licence text" in capsys.readouterr().out


def test_what_is_refused_takes_one_line_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "evil.pkl"
    source.write_bytes(b"cos\nsystem\n(S'touch executed'\ntR.")
    assert main([str(source), "--out", str(tmp_path / "generator")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "'os.system'" in told.err
    assert [path.name for path in tmp_path.iterdir()] == ["evil.pkl"]


def test_a_strangers_licence_does_not_speak_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def change(network: Network) -> None:
        network.meta["module_src"] = "# \x1b]0;mine\x07\x1b[31mred\n"

    source = tmp_path / "network.pkl"
    source.write_bytes(official_pickle("sg3t-32", change=change))
    assert main([str(source), "--out", str(tmp_path / "generator")]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_folders_on_the_way_are_not_left_behind(tmp_path: Path) -> None:
    assert main([str(tmp_path / "nothing.pkl"), "--out", str(tmp_path / "a" / "b" / "c")]) == 2
    assert list(tmp_path.iterdir()) == []
