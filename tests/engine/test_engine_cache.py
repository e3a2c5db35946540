"""Notes of what was measured: recalled under their own key only, and damage is no note."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import cache
from models import files
from models.errors import UserError


@pytest.fixture(scope="module", autouse=True)
def own_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.platformdirs, "user_cache_dir", lambda name: str(path / name))
        yield path


@given(st.dictionaries(st.text(), st.text() | st.integers()), st.text() | st.floats(allow_nan=False))
def test_a_note_is_recalled_under_its_own_key_only(key: dict[str, str | int], value: str | float) -> None:
    cache.remember("subject", key, value)
    assert cache.recall("subject", key) == value
    assert cache.recall("subject", {**key, "another": "part"} if "another" not in key else {}) is None
    assert cache.recall("another subject", key) is None


@given(st.binary(max_size=200))
def test_a_damaged_note_is_no_note(content: bytes) -> None:
    cache.remember("damaged", {"a": 1}, "value")
    (files.cache_folder("measured") / "damaged.json").write_bytes(content)
    assert cache.recall("damaged", {"a": 1}) is None


def test_processors_of_one_name_are_told_apart_by_what_they_can(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"model name": "AMD EPYC", "flags": "avx2"}
    monkeypatch.setattr(cache, "_cpuinfo", lambda field: said.get(field, ""))
    old, name = cache.processor_key(), cache.processor()
    said["flags"] = "avx2 avx512_bf16"
    assert cache.processor() == name
    assert cache.processor_key() != old
    said.clear()
    assert cache.processor_key()


def test_what_is_compiled_has_a_folder_for_each_network_and_version_and_its_use_is_noted() -> None:
    folder = cache.compiled_folder("openvino", "2026.4", "a graph")
    assert folder.parent == files.cache_folder("openvino")
    assert (
        len({folder, cache.compiled_folder("openvino", "2026.5", "a graph"), cache.compiled_folder("openvino", "2026.4", "b")})
        == 3
    )
    os.utime(folder, (0, 0))
    assert cache.compiled_folder("openvino", "2026.4", "a graph") == folder
    assert folder.stat().st_mtime > 0


def test_a_note_that_cannot_be_written_is_told_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path) -> None:
        raise UserError(f"{path} can't be written (Read-only file system)")

    monkeypatch.setattr(cache, "written_beside", full)
    cache.remember("read-only", {}, "value")
    assert "Read-only file system" in caplog.text
    assert cache.recall("read-only", {}) is None
