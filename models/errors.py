"""One kind of error for everything a user can cause: one line on stderr, exit code 2, no traceback."""

import contextlib
import functools
import signal
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn, ParamSpec

P = ParamSpec("P")


class UserError(Exception):
    """What was expected, what was got, what to do: one line, written for the person at the keyboard."""


def exit_on_user_error(main: Callable[P, int | None]) -> Callable[P, int]:
    """Wrap a command's `main`: a `UserError` becomes one line on stderr and exit code 2, Ctrl-C 130, SIGTERM 143.

    Both leave through every `finally`, so that nothing half-written and no process stays behind.
    """

    @functools.wraps(main)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            with _ending_well():
                return main(*args, **kwargs) or 0
        except UserError as error:
            print(" ".join(f"error: {error}".split()), file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            return 130

    return wrapped


@contextlib.contextmanager
def _ending_well() -> Iterator[None]:
    """SIGTERM, as service managers and `timeout` send it, ends Python on the spot; here it becomes an exception."""
    try:
        before = signal.signal(signal.SIGTERM, _exit)
    except ValueError:  # only a process's first thread may say what a signal does
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _exit(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)
