"""Files appear whole or not at all, and a place that can't be written to is named."""

import os
from pathlib import Path
from typing import Any, Final

import pytest
from safetensors import SafetensorError

from models import files
from models.errors import UserError


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "graph"
    with pytest.raises(KeyError), files.written_beside(target) as beside:
        beside.write_bytes(b"half")
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with files.written_beside(target) as beside:
        beside.write_bytes(b"whole")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("graph", b"whole")]


@pytest.mark.parametrize(("name", "says"), [("none/a.mp4", "none does not exist"), ("folder", "it is a folder")])
def test_a_place_where_no_file_can_be_is_told_before_the_work(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"^video file .*{says}"):
        files.check_place(tmp_path / name, "video file")
    files.check_place(tmp_path / "folder" / "a.mp4", "video file")


def test_a_folder_that_can_not_be_made_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(files.platformdirs, "user_cache_dir", lambda name: str(tmp_path / "file" / name))
    with pytest.raises(UserError, match=r"can't be made .*XDG_CACHE_HOME"):
        files.cache_folder("graphs")


def test_a_use_is_noted_of_files_and_folders_and_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path):
        os.utime(path, (0, 0))
        files.note_use(path)
        assert path.stat().st_mtime > 0
    files.note_use(tmp_path / "none")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


SAFETENSORS: Final = "Error while serializing: I/O error: No space left on device (os error 28)"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError(SAFETENSORS)])
@pytest.mark.parametrize("kind", [files.written_beside, files.folder_written_beside])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, kind: Any, error: Exception) -> None:
    with pytest.raises(UserError, match="No space left"), kind(tmp_path / "graph"):
        raise error
    assert list(tmp_path.iterdir()) == []
