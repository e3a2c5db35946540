"""The chart: longer bars for more frames, a colour for every backend, and one line for what is no measurement."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.choose import BACKENDS
from tools.chart_engine import COLOURS, PEER, main

pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install the extra train")


def lines(**speeds: float) -> str:
    common = {"size": 256, "quality": "fine", "machine": "a machine", "times_peer": 2.0}
    return "\n".join(json.dumps({**common, "backend": name, "frames_per_second": speed}) for name, speed in speeds.items())


def coloured(path: Path, colour: str) -> int:
    """Pixels of a chart in one colour."""
    picture = cv2.imread(str(path))
    assert picture is not None
    wanted = [int(colour[k : k + 2], 16) for k in (5, 3, 1)]
    return int((np.abs(picture.astype(int) - wanted).max(axis=2) < 3).sum())


def test_a_bar_is_as_long_as_what_was_measured(tmp_path: Path) -> None:
    (tmp_path / "lines.jsonl").write_text(lines(peer=5, openvino=20, torch=10))
    chart = tmp_path / "chart.png"
    assert main([str(tmp_path / "lines.jsonl"), str(chart)]) == 0
    peer, openvino, torch = (coloured(chart, COLOURS[name]) for name in (PEER, "openvino", "torch"))
    assert openvino / peer == pytest.approx(4, rel=0.1)
    assert torch / peer == pytest.approx(2, rel=0.1)


def test_every_backend_has_a_colour_of_its_own() -> None:
    assert set(COLOURS) == {PEER, *BACKENDS}
    assert len(set(COLOURS.values())) == len(COLOURS)


@pytest.mark.parametrize("content", ["", "{}", "no json", "[1]", "3"])
def test_what_is_no_measurement_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    (tmp_path / "lines.jsonl").write_text(content)
    assert main([str(tmp_path / "lines.jsonl"), str(tmp_path / "chart.png")]) == 2
    assert "tools.bench_engine" in capsys.readouterr().err
    assert not (tmp_path / "chart.png").exists()
