"""Between two frames: no jump, no picture that was not asked for, no more delay than one frame, nothing for fast generators."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.labels import EMOTIONS
from realtime.outputs.blend import LONGEST, Blend
from realtime.values import Controls, Frame

NEUTRAL = np.eye(len(EMOTIONS), dtype=np.float32)[1]


def frame(number: int, value: int | None = None, side: int = 4) -> Frame:
    grey = np.full((side, side, 3), number if value is None else value, np.uint8)
    return Frame(number, Controls(0.0, NEUTRAL, 1.0, {}), None, 0.0, grey)


def play(blend: Blend, arrivals: list[float], values: list[int], look_every: float = 1 / 120) -> tuple[list, list]:
    """What was put up, (time, value), and what was over, (time, number); a second longer than frames come."""
    shown, over = [], []
    looks = np.arange(0, arrivals[-1] + 1, look_every).tolist()
    waiting = list(enumerate(zip(arrivals, values, strict=True)))
    for t in sorted([*looks, *arrivals]):
        new = frame(waiting[0][0], waiting.pop(0)[1][1]) if waiting and waiting[0][1][0] <= t else None
        pixels, done = blend.step(new, t)
        if pixels is not None:
            shown.append((t, int(pixels[0, 0, 0])))
        if done is not None:
            over.append((t, done.number))
    return shown, over


def test_a_slow_generator_fades_and_each_frame_is_whole_when_the_next_is_due() -> None:
    arrivals = [k * 0.1 for k in range(6)]
    shown, over = play(Blend(1 / 60), arrivals, [0, 40, 80, 120, 160, 200])
    values = [value for _, value in shown]
    assert values == sorted(values)
    assert values[-1] == 200
    assert np.diff(values).max() < 20
    assert len(shown) > 25
    assert [number for _, number in over] == list(range(6))
    assert all(t <= arrivals[number] + 0.1 + 1e-6 for t, number in over)


@pytest.mark.parametrize("fps", [41, 60, 120])
def test_a_generator_as_fast_as_the_display_is_shown_as_it_comes(fps: int) -> None:
    arrivals = [k / fps for k in range(20)]
    shown, over = play(Blend(1 / 60), arrivals, list(range(0, 200, 10)))
    assert [value for _, value in shown] == list(range(0, 200, 10))
    assert [t for t, _ in over] == arrivals


def test_without_a_display_rate_nothing_fades() -> None:
    arrivals = [k * 0.2 for k in range(5)]
    shown, _ = play(Blend(float("inf")), arrivals, [0, 50, 100, 150, 200])
    assert shown == list(zip(arrivals, [0, 50, 100, 150, 200], strict=True))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.005, 0.6), st.integers(0, 255)), min_size=2, max_size=12))
def test_however_frames_come_what_is_shown_lies_between_them_and_ends_with_the_last(frames: list[tuple[float, int]]) -> None:
    arrivals = list(itertools.accumulate(interval for interval, _ in frames))
    values = [value for _, value in frames]
    shown, over = play(Blend(1 / 60), arrivals, values)
    assert shown[-1][1] == values[-1]
    assert shown[-1][0] <= arrivals[-1] + LONGEST
    low, high = min(values), max(values)
    assert all(low <= value <= high for _, value in shown)
    numbers = [number for _, number in over]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == len(frames) - 1
    for (_, before), (t, after) in itertools.pairwise(shown):
        towards = values[max(k for k, arrival in enumerate(arrivals) if arrival <= t + 1e-9)]
        assert min(before, towards) - 1 <= after <= max(before, towards) + 1


def test_after_a_pause_it_fades_no_longer_than_it_may() -> None:
    blend = Blend(1 / 60)
    shown, _ = play(blend, [0.0, 0.05, 0.1, 10.0, 10.05], [0, 10, 20, 200, 100])
    assert max(t for t, value in shown if value != 100) < 10.05 + LONGEST


def test_another_size_is_shown_at_once() -> None:
    blend = Blend(1 / 60)
    for number in range(3):
        blend.step(frame(number), number * 0.1)
    larger = frame(9, side=8)
    pixels, over = blend.step(larger, 0.3)
    assert pixels is larger.pixels
    assert over is larger


def test_frames_are_left_as_they_are() -> None:
    blend = Blend(1 / 60)
    first, second, third = frame(0, 0), frame(1, 100), frame(2, 200)
    for number, one in enumerate((first, second, third)):
        blend.step(one, number * 0.1)
    assert (first.pixels == 0).all()
    assert (second.pixels == 100).all()
    assert (third.pixels == 200).all()


@pytest.mark.parametrize("rate", [60, 144, 240])
@pytest.mark.parametrize("drawing", [0.002, 0.004])
def test_whoever_waits_as_told_reaches_the_displays_rate(rate: int, drawing: float) -> None:
    """A loop as the show's: waits for a frame, at most 1/120 s, then puts up what is due."""
    blend = Blend(1 / rate)
    t, k, pictures = 0.0, 0, 0
    blend.step(frame(0), t)
    while t < 5.0:
        t += min(1 / 120, blend.wait(t), (k + 1) / 12 - t) if (k + 1) / 12 > t else 0.0
        new = None
        if t >= (k + 1) / 12:
            k += 1
            new = frame(k, k * 4 % 256)
        pixels, _ = blend.step(new, t)
        pictures += pixels is not None
        t += drawing if pixels is not None else 0.0005
    assert pictures / 5.0 > 0.9 * min(rate, 1 / (drawing + 0.001))
    assert pictures / 5.0 < rate + 13  # a new frame is shown when it comes


def test_nothing_is_awaited_where_nothing_fades() -> None:
    blend = Blend(1 / 60)
    assert blend.wait(0.0) == float("inf")
    blend.step(frame(0), 0.0)
    blend.step(frame(1), 0.1)
    assert 0.0 < blend.wait(0.1) <= 1 / 60 and blend.wait(9.0) == 0.0
