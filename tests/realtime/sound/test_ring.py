"""The ring buffer: what is read is what was written, what is lost is counted, and times follow the earliest arrival."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.sound.ring import RECENT_SECONDS, Ring


def ramp(begin: int, n: int) -> np.ndarray:
    return np.arange(begin, begin + n, dtype=np.float32)[:, None]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100)), max_size=40))
def test_every_sample_is_read_once_or_counted_as_lost(actions: list[tuple[bool, int]]) -> None:
    ring = Ring(rate=100, channels=1, seconds=1)
    cursor, seen = ring.cursor(), 0
    for is_write, n in actions:
        if is_write:
            ring.write(ramp(ring.written, n), 0.0)
        else:
            lost = cursor.lost
            samples = cursor.read()
            begin = seen + cursor.lost - lost
            np.testing.assert_array_equal(samples, ramp(begin, len(samples)))
            seen = begin + len(samples)
            assert seen == cursor.position == ring.written


def test_a_reader_may_take_some_and_leave_the_rest() -> None:
    ring = Ring(rate=100, channels=1, seconds=1)
    cursor = ring.cursor()
    ring.write(ramp(0, 50), 0.0)
    np.testing.assert_array_equal(cursor.read(20), ramp(0, 20))
    assert cursor.waiting == 30
    ring.write(ramp(50, 80), 0.0)
    np.testing.assert_array_equal(cursor.read(20), ramp(30, 20))
    assert cursor.lost == 10
    np.testing.assert_array_equal(cursor.read(200), ramp(50, 80))
    assert cursor.waiting == 0


def test_two_readers_do_not_disturb_each_other() -> None:
    ring = Ring(100, 2)
    first, second = ring.cursor(), ring.cursor()
    ring.write(np.ones((30, 2), np.float32), 0.3)
    assert first.read().shape == (30, 2)
    ring.write(np.zeros((20, 2), np.float32), 0.5)
    assert len(first.read()) == 20
    assert len(second.read()) == 50


def test_a_block_larger_than_the_ring_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Ring(100, 1, 1).write(ramp(0, 101), 0.0)


def test_time_follows_the_earliest_arrival_and_ignores_late_blocks() -> None:
    ring = Ring(1000, 1)
    for k in range(50):
        late = 0.0 if k % 10 == 3 else 0.08
        ring.write(ramp(0, 20), 5.0 + (k + 1) * 0.02 + late)
    assert ring.time_of(0) == pytest.approx(5.0)
    assert ring.time_of(ring.written) == pytest.approx(6.0)


@pytest.mark.parametrize("block", [0.005, 0.02, 0.2])
@pytest.mark.parametrize("gap", [0.2, 0.7, 5.0])
def test_time_follows_a_gap_in_the_sound_at_once(block: float, gap: float) -> None:
    ring = Ring(1000, 1)
    n = round(1000 * block)
    for k in range(1, round(6 / block)):
        ring.write(ramp(0, n), k * block)
    before = ring.written
    while ring.written < before + 1000 * RECENT_SECONDS + n:
        ring.write(ramp(0, n), (ring.written + n) / 1000 + gap)
    assert ring.time_of(ring.written) == pytest.approx(ring.written / 1000 + gap)


def test_a_burst_after_a_pause_is_no_gap() -> None:
    ring = Ring(1000, 1)
    for k in range(300):
        ring.write(ramp(0, 20), 0.02 * (k + 1) if not 100 <= k < 130 else 0.02 * 130)
    assert ring.time_of(ring.written) == pytest.approx(6.0)


def test_slow_drift_is_followed() -> None:
    ring = Ring(1000, 1)
    for k in range(5000):
        ring.write(ramp(0, 20), 0.02 * 1.001 * (k + 1))
    assert ring.time_of(ring.written) == pytest.approx(100.1, abs=0.01)


def test_after_a_restart_only_the_new_arrivals_count() -> None:
    ring = Ring(1000, 1)
    ring.write(ramp(0, 20), 0.02)
    ring.restart_time()
    ring.write(ramp(0, 20), 9.0)
    assert ring.time_of(ring.written) == pytest.approx(9.0)


def test_reader_and_writer_on_threads_agree_on_every_sample() -> None:
    ring = Ring(rate=1000, channels=1, seconds=0.2)
    cursor = ring.cursor()
    done = threading.Event()

    def write() -> None:
        for _ in range(3000):
            ring.write(ramp(ring.written, 7), 0.0)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    read = 0
    while not done.is_set() or cursor.position < ring.written:
        before = cursor.position + 0
        lost = cursor.lost
        samples = cursor.read()
        begin = before + cursor.lost - lost
        np.testing.assert_array_equal(samples, ramp(begin, len(samples)))
        read += len(samples)
    writer.join()
    assert read + cursor.lost == ring.written == 21_000


def test_samples_that_are_being_overwritten_are_not_read() -> None:
    ring = Ring(rate=10, channels=1, seconds=1)
    cursor = ring.cursor()
    ring.write(ramp(0, 10), 0.0)
    seen: list[np.ndarray] = []

    class Watched(np.ndarray):
        def __setitem__(self, place: object, values: object) -> None:
            super().__setitem__(place, values)
            seen.append(cursor.read())  # the writer is in the middle of its block: 3 of it are there, none is counted yet

    ring._samples = ring._samples.view(Watched)
    ring.write(ramp(10, 3), 0.0)
    np.testing.assert_array_equal(seen[0], ramp(3, 7))
    assert cursor.lost == 3
