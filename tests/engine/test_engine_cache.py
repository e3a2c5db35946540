"""Notes and files of the cache: what is written is read, damage is ignored, nothing is left half-written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import cache
from models.errors import UserError


@pytest.fixture(scope="module", autouse=True)
def own_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache.platformdirs, "user_cache_dir", lambda name: str(path / name))
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
    (cache.folder("measured") / "damaged.json").write_bytes(content)
    assert cache.recall("damaged", {"a": 1}) is None


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "graph"
    with pytest.raises(KeyError), cache.written_beside(target) as beside:
        beside.write_bytes(b"half")
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with cache.written_beside(target) as beside:
        beside.write_bytes(b"whole")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("graph", b"whole")]


def test_a_folder_that_can_not_be_made_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(cache.platformdirs, "user_cache_dir", lambda name: str(tmp_path / "file" / name))
    with pytest.raises(UserError, match=r"can't be made .*XDG_CACHE_HOME"):
        cache.folder("graphs")
