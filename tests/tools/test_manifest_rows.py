"""Manifests from outside: rows, or one clear error."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import UserError
from tools.manifest_rows import read_rows


def test_short_rows_are_filled_and_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a;B\n1;"two; 2\nlines"\n\n3\n')
    assert read_rows(tmp_path / "a.csv", ("a", "b")) == [(3, {"a": "1", "b": "two; 2\nlines"}), (5, {"a": "3", "b": ""})]


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "lacks"), (b"a,b\n", "no rows"), (b"a\n1\n", "lacks"), (b"\xff\xfe", "read")]
)
def test_what_is_no_manifest_is_one_clear_error(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UserError, match=says):
        read_rows(tmp_path / "a.csv", ("a", "b"))
    with pytest.raises(UserError, match="cannot read"):
        read_rows(tmp_path / "nowhere.csv", ("a", "b"))


@given(st.binary(max_size=100) | st.text(alphabet='ab,;\t"\n\r \ufeff\0', max_size=60).map(str.encode))
def test_anything_is_rows_or_one_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("rows") / "a.csv"
    path.write_bytes(content)
    try:
        rows = read_rows(path, ("a",))
    except UserError:
        return
    assert rows and all("a" in row for _, row in rows)
