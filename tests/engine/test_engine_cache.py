"""Notes of what was measured: recalled under their own key only, and damage is no note."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import cache
from models import files


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
