"""What lies between stages: the newest wins, the recorder keeps all, and both count what they drop."""

import threading
import time

import pytest

from realtime.clock import MonotonicClock, VirtualClock
from realtime.latest import Latest
from realtime.outputs.osc import BUNDLE_BYTES, bundles
from realtime.rate import Rate
from realtime.worker import Worker


def test_the_newest_wins_and_drops_are_counted() -> None:
    slot: Latest[int] = Latest()
    for value in range(5):
        slot.put(value)
    assert slot.take() == 4
    assert slot.take() is None
    assert slot.dropped == 4


def test_what_must_not_be_lost_of_a_dropped_value_goes_on_in_the_newer_one() -> None:
    slot: Latest[int] = Latest(max)
    for value in (3, 7, 5):
        slot.put(value)
    assert slot.take() == 7
    slot.put(1)
    assert slot.take() == 1, "what was taken is over"


def test_a_waiting_reader_is_woken() -> None:
    slot: Latest[str] = Latest()
    threading.Timer(0.05, slot.put, ["now"]).start()
    assert slot.take(timeout=10) == "now"


def test_a_worker_survives_its_step_and_counts_faults() -> None:
    done = threading.Event()
    calls = []

    def step() -> None:
        calls.append(1)
        if len(calls) < 3:
            raise RuntimeError("a fault")
        done.set()
        time.sleep(0.001)

    worker = Worker("stage", step)
    worker.start()
    assert done.wait(10)
    worker.stop()
    assert worker.faults == {"stage: RuntimeError: a fault": 2}
    assert worker.health == ""


def test_a_worker_says_what_fails_while_it_does() -> None:
    def step() -> None:
        raise ValueError("still")

    worker = Worker("stage", step)
    worker.start()
    while not worker.health:
        time.sleep(0.01)
    worker.stop()
    assert worker.health == "stage: ValueError: still"


def test_a_fault_of_many_lines_is_named_in_one_that_fits_a_packet(caplog: pytest.LogCaptureFixture) -> None:
    story = "Exception from src/core.cpp:109:\n" + 60 * "  the plugin says no\n"

    def step() -> None:
        raise RuntimeError(story)

    worker = Worker("renderer", step)
    worker.start()
    while not worker.health:
        time.sleep(0.01)
    worker.stop()
    assert worker.health.startswith("renderer: RuntimeError: Exception from src/core.cpp:109: the plugin says no the")
    assert "\n" not in worker.health
    assert all(len(packet) <= BUNDLE_BYTES for packet in bundles([("/s2e/health", (worker.health,))]))
    assert story in caplog.records[0].message, "the log tells it whole"


def test_rate_counts_the_last_second() -> None:
    rate = Rate()
    for k in range(50):
        rate.tick(k / 25)
    assert rate.at(49 / 25) == 25
    assert rate.at(10.0) == 0


def test_virtual_time_moves_only_when_told_and_never_back() -> None:
    clock = VirtualClock()
    assert clock.now() == 0.0
    clock.set(2.5)
    assert clock.now() == 2.5
    with pytest.raises(ValueError, match="forwards"):
        clock.set(2.0)


def test_real_time_starts_at_zero_and_moves() -> None:
    clock = MonotonicClock()
    first = clock.now()
    assert 0 <= first < clock.now()
