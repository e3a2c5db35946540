"""What of a corpus can't be used, and why: counted, and named on stderr while the work goes on with the rest."""

import sys
from collections.abc import Iterable
from typing import Final

from models.errors import one_line

MOST: Final = 30
"""Lines that are printed of all; of what comes after them, the number."""
_LONGEST: Final = 300  # characters of a line


class Skipped:
    """Reasons, each of one recording or of many of a kind. The same reason given again counts once."""

    def __init__(self) -> None:
        self._count: dict[str, int] = {}
        self._told = 0

    @property
    def lines(self) -> list[str]:
        """All reasons so far, in the order they came in."""
        return list(self._count)

    @property
    def count(self) -> int:
        """How many recordings these are."""
        return sum(self._count.values())

    def add(self, reason: str, recordings: int = 1) -> None:
        """So many more can't be used."""
        self._count[reason] = recordings

    def extend(self, reasons: Iterable[str]) -> None:
        """Each of one recording."""
        for reason in reasons:
            self.add(reason)

    def tell(self) -> None:
        """Print those that were not printed before, each on one line."""
        new = self.lines[self._told :]
        shown = new[: max(0, MOST - self._told)]
        for reason in shown:
            line = one_line(reason)
            print(f"skipped: {line if len(line) <= _LONGEST else line[:_LONGEST] + ' …'}", file=sys.stderr)
        if rest := sum(self._count[reason] for reason in new[len(shown) :]):
            print(f"skipped: {rest} more", file=sys.stderr)
        self._told += len(new)
