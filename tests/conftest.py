"""For all tests: examples made by hypothesis may take as long as the machine needs, and no show makes the suite give way."""

import os

import hypothesis
import pytest

hypothesis.settings.register_profile("no limit on time", deadline=None)
hypothesis.settings.load_profile("no limit on time")


@pytest.fixture(autouse=True)
def keeps_its_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live show lowers the priority of its own process, which here is that of all tests after it."""
    if hasattr(os, "nice"):
        monkeypatch.setattr(os, "nice", lambda increment: 0)
