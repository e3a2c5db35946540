"""A show of hours is watched while it plays, and judged at its end."""

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from realtime.stats import Stats
from tools import soak


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A show of no sound and no pictures, whose minutes are short; `run` may be replaced."""
    show = SimpleNamespace(health="", run=lambda seconds: {"faults": {}, "seconds": seconds})
    engine, stages = SimpleNamespace(close=lambda: None), SimpleNamespace(stats=Stats())
    monkeypatch.setattr(soak, "MINUTE", 0.01)
    monkeypatch.setattr(soak, "open_source", lambda *_, **__: SimpleNamespace(ring=None))
    monkeypatch.setattr(soak, "build_stages", lambda *_, **__: (engine, stages))
    monkeypatch.setattr(soak, "LiveShow", lambda *_: show)
    yield show
    for thread in threading.enumerate():
        if thread.name == "soak":
            thread.join()


def lasting_threads() -> set[threading.Thread]:
    """Those that a program waits for when its main one has ended."""
    return {thread for thread in threading.enumerate() if not thread.daemon}


def test_a_show_that_is_interrupted_leaves_nobody_to_wait_for(show: SimpleNamespace) -> None:
    def interrupted(seconds: float) -> dict[str, Any]:
        raise KeyboardInterrupt

    show.run = interrupted
    before = lasting_threads()
    assert soak.main(["--minutes", "2"]) == 130
    assert lasting_threads() == before


@pytest.mark.parametrize(("grows", "fails", "code"), [(1.0, {}, 0), (1.2, {}, 1), (1.0, {"renderer: a fault": 1}, 1)])
def test_growth_and_faults_are_failures(
    show: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, grows: float, fails: dict[str, int], code: int
) -> None:
    used = iter([100.0, 100.0 * grows])
    monkeypatch.setattr(soak, "memory", lambda: next(used))
    show.run = lambda seconds: time.sleep(seconds) or {"faults": fails}
    assert soak.main(["--minutes", "2"]) == code


def test_memory_is_that_of_this_process_in_mebibytes() -> None:
    assert 10 < soak.memory() < 100_000
