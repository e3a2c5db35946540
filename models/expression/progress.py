"""How long work tells how far it is."""

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Called with the part that is done (0…1) and what is being done."""


def untold(_part: float, _what: str) -> None:
    """For whoever does not want to know."""


def within(progress: Progress, begin: float, end: float) -> Progress:
    """For a piece of the work that takes it from `begin` to `end`."""
    return lambda part, what: progress(begin + (end - begin) * part, what)
