"""How a command ends: what a user caused is one line and 2; what ends it from outside leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("a file\nwas expected", "a file was expected"),
        ("labels \x1b[2J\x07, \udcff and ²", "labels \\x1b[2J\\x07, \\udcff and ²"),  # a terminal takes it for text only
    ],
)
def test_a_user_error_is_one_line_and_2(capsys: pytest.CaptureFixture[str], said: str, told: str) -> None:
    @exit_on_user_error
    def command() -> None:
        raise UserError(said)

    assert command() == 2
    assert capsys.readouterr().err == f"error: {told}\n"


def test_a_file_that_the_system_refuses_is_one_line_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    @exit_on_user_error
    def command() -> None:
        Path("x" * 300).is_dir()

    assert command() == 2
    assert capsys.readouterr().err.startswith(f"error: {'x' * 300} can't be used (File name too long);")


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), BrokenPipeError(32, "Broken pipe")])
def test_an_error_of_the_system_about_no_file_and_not_the_output_is_a_fault(error: OSError) -> None:
    @exit_on_user_error
    def command() -> None:
        raise error

    with pytest.raises(OSError, match=str(error.strerror)):
        command()


PRINTING = """
import sys
from models.errors import exit_on_user_error

@exit_on_user_error
def command():
    while True:
        print("caf\\udce9", flush=True)
        {after}

sys.exit(command())
"""


@pytest.mark.parametrize(("after", "code"), [("", 141), ("break", 0)])
def test_a_name_that_is_no_text_is_printed_and_a_reader_that_has_enough_is_no_fault(after: str, code: int) -> None:
    command = [sys.executable, "-c", PRINTING.format(after=after)]
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=strict, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "caf\\udce9\n"
        running.stdout.close()
        assert running.stderr is not None
        assert running.stderr.read() == ""
    assert running.returncode == code
