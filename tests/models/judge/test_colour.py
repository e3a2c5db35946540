"""Colours: the published CIEDE2000 pairs and known CIELAB values."""

import numpy as np
import pytest

from models.judge.colour import ciede2000, lab

# Sharma, Wu and Dalal 2005, table 1: pairs that exercise the formula's discontinuities.
PAIRS = [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
    ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0011), 7.2195),
    ((50.0, 2.5000, 0.0000), (50.0, 0.0000, -2.5000), 4.3065),
    ((50.0, 2.5000, 0.0000), (73.0, 25.0000, -18.0000), 27.1492),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("first", "second", "difference"), PAIRS)
def test_published_pairs(first: tuple[float, ...], second: tuple[float, ...], difference: float) -> None:
    assert ciede2000(np.array(first), np.array(second)) == pytest.approx(difference, abs=1e-4)
    assert ciede2000(np.array(second), np.array(first)) == pytest.approx(difference, abs=1e-4)


def test_lab_of_white_black_and_red() -> None:
    values = lab(np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))
    assert values[0] == pytest.approx([100, 0, 0], abs=0.02)
    assert values[1] == pytest.approx([0, 0, 0], abs=1e-9)
    assert values[2] == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
