"""What nothing uses goes from the user's cache at the start of a show, and only that."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import files
from models.errors import UserError
from realtime import cache_pruning
from realtime.cache_pruning import DAY, LARGEST, RECENT, UNUSED, Kept, cache_in_use, outdated, prune

NOW = 2e9
OLD = NOW - UNUSED - DAY


def lay(path: Path, used: float = OLD, size: int = 1) -> Path:
    """A file of that many bytes, none of which take room on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    os.utime(path, (NOW, used))  # it was read just now, as backups do
    return path


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(files.platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.setattr(cache_pruning.time, "time", lambda: NOW)
    return files.cache_folder()


@given(st.lists(st.tuples(st.integers(0, LARGEST), st.floats(NOW - 2 * UNUSED, NOW + DAY)), max_size=8))
def test_the_least_recently_used_go_as_far_as_they_have_to_and_never_the_recent(things: list[tuple[int, float]]) -> None:
    kept = [Kept(Path(str(number)), size, used) for number, (size, used) in enumerate(things)]
    gone = outdated(kept, NOW)
    stay = sorted((one for one in kept if one not in gone), key=lambda one: one.used)
    assert all(one.used < NOW - RECENT for one in gone)
    assert all(one.used >= NOW - UNUSED for one in stay)
    assert not gone or not stay or gone[-1].used <= stay[0].used
    assert not stay or sum(one.size for one in stay) <= LARGEST or stay[0].used >= NOW - RECENT
    for last in gone[-1:]:
        assert last.used < NOW - UNUSED or sum(one.size for one in (last, *stay)) > LARGEST


def test_only_what_is_made_again_by_itself_goes(tmp_path: Path) -> None:
    old = [
        lay(tmp_path / name)
        for name in (
            "graphs/a.onnx",
            "generators/b/weights",
            "openvino/c/1.blob",
            "paths/abc-7-student.safetensors",  # of a version that named no provenance
            "paths/abc-7-student-0123456789ab.safetensors",
            "paths/abc-7-networks-0123456789ab-predicted.safetensors",
            "tensorrt/d.engine",
        )
    ]
    for folder in ("generators/b", "openvino/c"):
        os.utime(tmp_path / folder, (NOW, OLD))
    others = [
        lay(tmp_path / name)
        for name in ("mobile_stylegan_ffhq.safetensors", "paths/abc-7.safetensors", "student/fit.pt", "measured/a.json", "mine")
    ]
    in_use = [lay(tmp_path / "graphs" / "b.onnx", NOW - UNUSED + DAY), lay(tmp_path / "openvino" / "d" / "2.blob")]
    os.utime(tmp_path / "openvino" / "d", (NOW, NOW))
    prune(tmp_path, NOW)
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in (*others, *in_use)), "a folder whose use was noted stays whole"
    assert not (tmp_path / "generators" / "b").exists()


def test_a_large_cache_loses_what_was_used_least_recently(tmp_path: Path) -> None:
    laid = [lay(tmp_path / "graphs" / f"{days}.onnx", NOW - days * DAY, LARGEST // 3) for days in (1, 10, 20, 30, 40)]
    prune(tmp_path, NOW)
    assert [path.name for path in laid if path.exists()] == ["1.onnx", "10.onnx", "20.onnx"]


def test_links_and_what_they_lead_to_stay(tmp_path: Path) -> None:
    root, outside = tmp_path / "cache", lay(tmp_path / "elsewhere" / "a.onnx")
    lay(root / "openvino" / "c" / "1.blob")
    (root / "openvino" / "c" / "inside").symlink_to(outside.parent)
    os.utime(root / "openvino" / "c", (NOW, OLD))
    os.utime(root / "openvino" / "c" / "inside", (NOW, OLD), follow_symlinks=False)
    (root / "graphs").symlink_to(outside.parent)
    (root / "tensorrt").mkdir()
    for link, to in (("file", outside), ("folder", outside.parent), ("circle", root / "tensorrt" / "circle")):
        (root / "tensorrt" / link).symlink_to(to)
        os.utime(root / "tensorrt" / link, (NOW, OLD), follow_symlinks=False)
    prune(root, NOW)
    assert outside.exists()
    assert len(list((root / "tensorrt").iterdir())) == 3
    assert not (root / "openvino" / "c").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps what is open, without locks")
def test_nothing_is_removed_while_another_show_runs(cache: Path) -> None:
    with cache_in_use():
        old = lay(cache / "graphs" / "a.onnx")
        with cache_in_use():
            assert old.exists()
        with cache_in_use():
            assert old.exists(), "the end of one of two shows is not that of the other"
    with cache_in_use():
        assert not old.exists()


def test_what_can_not_be_removed_stays_without_a_word(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    caplog.set_level("INFO")
    old = [lay(cache / "graphs" / name) for name in ("a.onnx", "b.onnx")]
    monkeypatch.setattr(Path, "unlink", refuse)
    with cache_in_use():
        assert all(path.exists() for path in old)
    assert not caplog.records


@pytest.mark.parametrize("error", [OSError(37, "No locks available"), UserError("the cache folder can't be made")])
def test_a_show_plays_where_the_cache_can_not_be_used(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail() -> Path:
        raise error

    monkeypatch.setattr(cache_pruning, "cache_folder", fail)
    played = []
    with cache_in_use():
        played.append("a show")
    assert played


def test_the_fault_of_a_show_is_its_own(cache: Path) -> None:
    with pytest.raises(UserError, match="no such microphone"), cache_in_use():
        raise UserError("no such microphone")
