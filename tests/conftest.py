"""For all tests: examples made by hypothesis may take as long as the machine needs, and no show makes the suite give way."""

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

hypothesis.settings.register_profile("no limit on time", deadline=None)
hypothesis.settings.load_profile("no limit on time")


@pytest.fixture(autouse=True)
def keeps_its_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live show lowers the priority of its own process, which here is that of all tests after it."""
    if hasattr(os, "nice"):
        monkeypatch.setattr(os, "nice", lambda increment: 0)


@pytest.fixture
def in_a_terminal() -> Iterator[None]:
    """The suite itself may run under nohup, or behind a shell: deaf to what a terminal says."""
    outside = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in outside.items():
        signal.signal(number, handler)
