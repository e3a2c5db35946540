"""Numbers that a tool's options take, for argparse: what lies outside is one line that says what was expected."""

import argparse
import math
from collections.abc import Callable
from typing import Final

from models.errors import UserError

LARGEST: Final = 2**31 - 1
THREADS: Final = 1024


def whole(option: str, least: int = 1, most: int = LARGEST) -> Callable[[str], int]:
    """A `type` of argparse. Raises `UserError` for what is no whole number, or outside."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1  # no number, or one of thousands of digits
        if not least <= number <= most:
            raise UserError(f"{option} takes a whole number from {least} to {most}, got '{text[:30]}'")
        return number

    return read


def real(option: str, least: float, most: float) -> Callable[[str], float]:
    """A `type` of argparse. Raises `UserError` for what is no number, or outside; nan is."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise UserError(f"{option} takes a number from {least:g} to {most:g}, got '{text[:30]}'")
        return number

    return read


def add_threads(parser: argparse.ArgumentParser, default: int = 1) -> None:
    """The option `--threads`: of the processor, for torch."""
    parser.add_argument(
        "--threads",
        type=whole("--threads", 1, THREADS),
        default=default,
        metavar="N",
        help=f"processor threads (default {'all' if default > 1 else default})",
    )
