"""The doctor: every part becomes a row, also one that is missing or broken, and each way of drawing is tried and compared."""

import builtins
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from engine.backend import BACKENDS
from models.errors import UserError
from models.stylegan import pixels
from tools import doctor
from tools.doctor import CHECKS, Row, examine, main, verdicts


def test_this_machine_is_described() -> None:
    rows = {row.part: row for row in examine()}
    assert rows["Python"].found.startswith(sys.version.split()[0])
    assert "torch" in rows["libraries"].found
    for part in ("generator's package", "hearing", "faces", "cache", "processor"):
        assert rows[part].state == "ok", rows[part]
    assert all(row.advice for row in rows.values() if row.state != "ok")


@pytest.mark.parametrize("broken", ["torch", "pyaudio", "onnx", "platformdirs"])
def test_a_part_that_is_not_installed_is_a_row_and_no_crash(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """Whatever is imported anew finds it gone, as on a machine where it never was."""
    for name in [
        name for name in sys.modules if name.split(".")[0] in ("models", "engine", "realtime") and name != "models.errors"
    ]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] == broken:
            raise ModuleNotFoundError(f"No module named '{broken}'", name=broken)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    rows = examine()
    told = [row for row in rows if row.state == "missing"]
    assert any(broken in row.advice and "make setup" in row.advice for row in told)
    assert {row.part for row in rows} >= {"Python", "libraries"}


def test_what_a_check_found_before_it_failed_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def half() -> Iterator[Row]:
        yield Row("first", "there")
        raise UserError("the second is gone; connect it")

    monkeypatch.setattr(doctor, "CHECKS", {"half": half})
    assert examine() == [Row("first", "there"), Row("half", "can't be used", "missing", "the second is gone; connect it")]


def test_a_changed_carrier_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("SPEECH2EXPRESSION_GENERATOR", str(tmp_path))
    monkeypatch.setattr(doctor, "CHECKS", {"generator's package": CHECKS["generator's package"]})
    (row,) = examine()
    assert row.state == "missing"
    assert "pip install" in row.advice


def test_every_way_of_drawing_is_tried_and_compared(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(pixels, "ways_of", lambda generator, sizes, qualities: [(256, "fast")])
    assert main(["--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    drawn = {result["backend"]: result for result in answer["drawn"]}
    assert list(drawn) == list(BACKENDS)
    for name in ("openvino", "torch"):
        assert drawn[name]["psnr_db"] >= 40
        assert drawn[name]["frames_per_second"] == pytest.approx(1000 / drawn[name]["least_ms"], rel=0.01)
    assert all("least_ms" in result or result["reason"] for result in drawn.values())
    parts = [row["part"] for row in answer["parts"]]
    assert "256² fast with openvino" in parts


def test_verdicts_put_the_fastest_first_and_name_reasons_once() -> None:
    slow, fast = ({"with": "W", "least_ms": ms, "frames_per_second": 1000 / ms, "psnr_db": 50.0} for ms in (40.0, 20.0))
    rows = list(
        verdicts(
            [
                {"backend": "a", "picture": "256²", **slow},
                {"backend": "b", "picture": "256²", **fast},
                {"backend": "c", "picture": "256²", "reason": "no GPU"},
                {"backend": "c", "picture": "512²", "reason": "no GPU"},
            ]
        )
    )
    assert [row.part for row in rows] == ["256² with b", "256² with a", "512²", "c (256², 512²)"]
    assert [row.state for row in rows] == ["ok", "ok", "missing", "more"]
    assert "fastest here" in rows[0].found
    assert "50.0 frames/s" in rows[0].found
    assert rows[-1].advice == "no GPU"


def test_the_table_says_what_to_install_and_the_exit_code_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check() -> Iterator[Row]:
        yield Row("window [left]", "a very long description " * 20, "more", "install a screen")
        yield Row("heart", "not there", "missing", "install a heart")

    monkeypatch.setattr(doctor, "CHECKS", {"body": check})
    assert main(["--no-bench"]) == 1
    text = capsys.readouterr().out
    assert "- window [left]: install a screen" in text
    assert "- heart: install a heart" in text
    assert "…" not in text
