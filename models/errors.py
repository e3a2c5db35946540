"""One kind of error for everything a user can cause: one line on stderr, exit code 2, no traceback."""

import contextlib
import functools
import io
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn, ParamSpec

P = ParamSpec("P")


class UserError(Exception):
    """What was expected, what was got, what to do: one line, written for the person at the keyboard."""


def exit_on_user_error(main: Callable[P, int | None]) -> Callable[P, int]:
    """Wrap a command's `main`: a `UserError` becomes one line on stderr and exit code 2, Ctrl-C 130, SIGTERM 143, SIGHUP 129.

    So does a file that the system refuses and nobody expected it to, as one with a name that is too long. Where what reads the
    output has enough (`| head`), it is 141, as if SIGPIPE had ended it. All leave through every `finally`, so that nothing
    half-written and no process stays behind.
    """

    @functools.wraps(main)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> int:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be no text
        try:
            with _ending_well():
                return main(*args, **kwargs) or 0
        except UserError as error:
            return _told(error)
        except BrokenPipeError:
            if not _output_is_closed():
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes what is left when it ends
            return 128 + 13
        except OSError as error:
            if error.filename is None:
                raise
            return _told(f"{error.filename} can't be used ({error.strerror}); name another place, or change what it allows")
        except KeyboardInterrupt:
            return 130

    return wrapped


def _output_is_closed() -> bool:
    """Whether it was stdout's pipe that broke, and not one to a process of ours. Windows says that in other words."""
    if sys.platform == "win32":
        return False
    poll = select.poll()
    poll.register(sys.stdout, 0)
    return bool(poll.poll(0))


def one_line(text: str) -> str:
    """What a terminal takes for one line of nothing but text, whatever a stranger's file put into it."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(text.split()))


def _told(error: object) -> int:
    """Exit code 2, after one line."""
    print(one_line(f"error: {error}"), file=sys.stderr)
    return 2


def ending_signals() -> list[signal.Signals]:
    """SIGTERM, as service managers and `timeout` send it, and SIGHUP, of a terminal that closes, unless `nohup` silenced it."""
    hangup: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is None or signal.getsignal(hangup) == signal.SIG_IGN:
        return [signal.SIGTERM]
    return [signal.SIGTERM, hangup]


@contextlib.contextmanager
def _ending_well() -> Iterator[None]:
    """The signals that end Python on the spot become an exception."""
    try:
        before = {number: signal.signal(number, _exit) for number in ending_signals()}
    except ValueError:  # only a process's first thread may say what a signal does
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, _frame: object) -> NoReturn:
    if number != signal.SIGTERM:
        signal.signal(number, signal.SIG_IGN)  # it comes twice, from the kernel and from the shell
    raise SystemExit(128 + number)
