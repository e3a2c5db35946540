"""Numbers that options take: those inside come back, all else is one line."""

import importlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import UserError
from tools.ranges import real, whole

TOOLS = Path(__file__).parents[2] / "tools"


@given(st.integers(1, 100))
def test_numbers_inside_come_back(number: int) -> None:
    assert whole("--n", 1, 100)(str(number)) == number
    assert real("--x", 1, 100)(str(number)) == number


@given(st.one_of(st.integers(max_value=0), st.integers(min_value=101), st.floats(), st.text()).map(str))
def test_all_else_is_one_line(text: str) -> None:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if number.is_integer() and 1 <= number <= 100:
        return
    with pytest.raises(UserError, match=r"^--n takes a whole number from 1 to 100, got "):
        whole("--n", 1, 100)(text)
    if not 1 <= number <= 100:
        with pytest.raises(UserError, match=r"^--x takes a number from 1 to 100, got "):
            real("--x", 1, 100)(text)


def test_a_number_of_thousands_of_digits_is_none() -> None:
    with pytest.raises(UserError, match=r"got '1{30}'$"):
        whole("--n")("1" * 5000)


def test_every_number_of_a_tool_has_a_range() -> None:
    unbounded = [file.name for file in TOOLS.glob("*.py") if re.search(r"type=(int|float)\b", file.read_text(encoding="utf-8"))]
    assert unbounded == []


@pytest.mark.parametrize(
    ("tool", "option", "value"),
    [
        ("evaluate_strength", "--steps", "0"),
        ("render_emotions", "--strength", "nan"),
        ("soak", "--minutes", "1e9"),
        ("train_predictor", "--minutes", "inf"),
        ("draw_seeds", "--rotate", "inf"),
    ],
)
def test_a_tool_says_it_in_one_line(tool: str, option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert importlib.import_module(f"tools.{tool}").main([option, value]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: {option} takes a ")
    assert message.count("\n") == 1
