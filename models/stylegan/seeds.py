"""Seeds as people write them: each draws one face."""

from typing import Final

LAST_SEED: Final = 2**32 - 1
"""The largest that NumPy takes."""
_MOST_DIGITS: Final = len(str(LAST_SEED))  # looked at first: Python refuses to read numbers of thousands of digits


def seed_in(text: str) -> int | None:
    """The seed that decimal digits name, 0 to `LAST_SEED`; None for any other text."""
    if not (text.isascii() and text.isdecimal()) or len(text) > _MOST_DIGITS or int(text) > LAST_SEED:
        return None
    return int(text)
