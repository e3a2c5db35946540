"""How a command ends: what a user caused is one line and 2; what ends it from outside leaves nothing behind."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from models.errors import UserError, exit_on_user_error


@contextmanager
def cleaning_up(done: list[str]) -> Iterator[None]:
    try:
        yield
    finally:
        done.append("cleaned up")


@pytest.mark.usefixtures("in_a_terminal")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_command_through_every_finally(number: signal.Signals, code: int) -> None:
    done: list[str] = []

    @exit_on_user_error
    def command() -> None:
        with cleaning_up(done):
            os.kill(os.getpid(), number)
            time.sleep(10)

    before = signal.getsignal(number)
    try:
        ended = command()
    except SystemExit as end:
        ended = end.code
    finally:
        assert signal.getsignal(number) == before
    assert (ended, done) == (code, ["cleaned up"])


def test_a_command_under_nohup_outlives_its_terminal() -> None:
    @exit_on_user_error
    def command() -> None:
        os.kill(os.getpid(), signal.SIGHUP)

    outside = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert command() == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, outside)


@pytest.mark.usefixtures("in_a_terminal")
def test_a_terminal_that_hangs_up_twice_does_not_break_into_the_end() -> None:
    done: list[str] = []

    @exit_on_user_error
    def command() -> None:
        try:
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(10)
        finally:
            os.kill(os.getpid(), signal.SIGHUP)
            done.append("cleaned up")

    with pytest.raises(SystemExit):
        command()
    assert done == ["cleaned up"]


def test_a_user_error_is_one_line_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    @exit_on_user_error
    def command() -> None:
        raise UserError("a file\nwas expected")

    assert command() == 2
    assert capsys.readouterr().err == "error: a file was expected\n"
