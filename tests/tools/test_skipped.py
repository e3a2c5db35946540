"""What can't be used is named, each thing once and on one line, and what is too much is counted."""

import pytest

from tools.skipped import MOST, Skipped


def test_reasons_are_one_line_each_and_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    skipped = Skipped()
    skipped.extend(["a\n\x1b[2Jb.wav", "x" * 5000, "a\n\x1b[2Jb.wav"])
    skipped.tell()
    skipped.tell()
    first, second = capsys.readouterr().err.splitlines()
    assert first == r"skipped: a \x1b[2Jb.wav" and len(second) < 400
    skipped.add("later", 7)
    skipped.tell()
    assert capsys.readouterr().err == "skipped: later\n"
    assert skipped.count == 9


def test_of_many_reasons_the_rest_is_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    skipped = Skipped()
    skipped.extend(map(str, range(MOST + 5)))
    skipped.tell()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == MOST + 1 and lines[-1] == "skipped: 5 more"
