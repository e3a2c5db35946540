"""One kind of error for everything a user can cause: one line on stderr, exit code 2, no traceback."""

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")


class UserError(Exception):
    """What was expected, what was got, what to do: one line, written for the person at the keyboard."""


def exit_on_user_error(main: Callable[P, int | None]) -> Callable[P, int]:
    """Wrap a command's `main`: a `UserError` becomes one line on stderr and exit code 2, Ctrl-C becomes 130."""

    @functools.wraps(main)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return main(*args, **kwargs) or 0
        except UserError as error:
            print(" ".join(f"error: {error}".split()), file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            return 130

    return wrapped
