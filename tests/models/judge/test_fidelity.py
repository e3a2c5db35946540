"""Figures of likeness: known values at the ends, the right order between, each fault seen by the figure meant for it."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.judge.fidelity import grid, grid_of_noise, ms_ssim, slow_colour

RANDOM = np.random.RandomState(0)
SMOOTH = cv2.GaussianBlur(RANDOM.randint(0, 256, (256, 192, 3)).astype(np.uint8), (0, 0), 4)
PICTURE = np.asarray(np.clip((SMOOTH.astype(float) - SMOOTH.mean()) * 8 + 128, 0, 255), np.uint8)


def noisy(deviation: float) -> np.ndarray:
    return np.clip(PICTURE + np.random.RandomState(1).normal(0, deviation, PICTURE.shape), 0, 255).astype(np.uint8)


def test_equal_pictures_are_equal() -> None:
    assert ms_ssim(PICTURE, PICTURE) == pytest.approx(1)
    assert slow_colour(PICTURE, PICTURE) == grid(PICTURE, PICTURE) == 0


def test_more_noise_is_less_like() -> None:
    likeness = [ms_ssim(PICTURE, noisy(deviation)) for deviation in (0, 5, 20, 60)]
    assert likeness == sorted(likeness, reverse=True)
    assert 0 < likeness[-1] < 0.9 < likeness[1] < 1


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 255), st.integers(0, 255))
def test_plain_pictures_differ_by_luminance_alone(a: int, b: int) -> None:
    """Of two plain pictures only the last scale's luminance says anything: (2ab + C1) / (a² + b² + C1), to its weight."""
    plain = [np.full((176, 176, 3), value, np.uint8) for value in (a, b)]
    constant = (0.01 * 255) ** 2
    expected = ((2 * a * b + constant) / (a * a + b * b + constant)) ** 0.1333
    assert ms_ssim(*plain) == pytest.approx(expected, rel=1e-6)


def test_small_pictures_have_no_five_scales() -> None:
    with pytest.raises(ValueError, match="at least 176"):
        ms_ssim(PICTURE[:100], PICTURE[:100])


def test_a_tint_is_slow_and_noise_is_not() -> None:
    tinted = np.clip(PICTURE.astype(int) // 2 + [80, 60, 60], 0, 255).astype(np.uint8)
    halved = (PICTURE // 2 + 60).astype(np.uint8)
    assert slow_colour(halved, tinted) == pytest.approx(20 / 3, abs=0.1)
    assert slow_colour(PICTURE, noisy(20)) < 2
    assert grid(halved, tinted) < 0.1


@pytest.mark.parametrize("period", [2, 4])
def test_a_grid_is_seen_in_noise(period: int) -> None:
    gridded = PICTURE // 2 + 50
    with_grid = gridded.copy()
    with_grid[::period, ::period] += 8
    expected = 8 * np.sqrt((1 / period**2) * (1 - 1 / period**2))
    assert grid(gridded.astype(np.uint8), with_grid.astype(np.uint8)) == pytest.approx(expected, rel=1e-6)
    assert grid(PICTURE, noisy(10)) == pytest.approx(grid_of_noise(PICTURE, noisy(10)), rel=0.3)
    assert grid_of_noise(PICTURE, PICTURE) == 0
