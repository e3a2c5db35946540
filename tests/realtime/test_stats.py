"""Percentiles and counts of a show, and a report that is never half-written."""

import json
from pathlib import Path

import pytest

from realtime.stats import KEPT, Stats, write_json


def test_percentiles_are_milliseconds() -> None:
    stats = Stats()
    for k in range(101):
        stats.add("engine", k / 1000)
    figures = stats.summary()["milliseconds"]["engine"]
    assert figures == {"n": 101, "median": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


def test_memory_is_bounded_and_the_newest_count() -> None:
    stats = Stats()
    for k in range(KEPT + 100):
        stats.add("engine", 1.0 if k < 100 else 2.0)
    figures = stats.summary()["milliseconds"]["engine"]
    assert figures["n"] == KEPT
    assert figures["median"] == figures["max"] == 2000.0


def test_the_median_of_the_last_few_is_that_of_the_newest() -> None:
    stats = Stats()
    for k in range(100):
        stats.add("engine", float(k))
    assert stats.median("engine", 3) == 98.0
    assert stats.median("engine") == 49.5


def test_median_of_nothing_is_none() -> None:
    stats = Stats()
    assert stats.median("engine") is None
    with stats.timed("engine"):
        pass
    assert stats.median("engine", 1) == pytest.approx(0, abs=1)


def test_a_report_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    path.write_text("old")
    write_json(path, {"a": 1})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["stats.json"]
