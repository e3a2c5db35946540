"""What names a seed, and what does not."""

import pytest

from models.stylegan.seeds import LAST_SEED, seed_in


@pytest.mark.parametrize(("text", "seed"), [("0", 0), ("0042", 42), (str(LAST_SEED), LAST_SEED)])
def test_digits_name_a_seed(text: str, seed: int) -> None:
    assert seed_in(text) == seed


@pytest.mark.parametrize("text", ["", "-1", "1.5", " 7", "1e3", "\u00b2", "\uff10\uff15", str(LAST_SEED + 1), "7" * 5_000])
def test_anything_else_does_not(text: str) -> None:
    assert seed_in(text) is None
