"""A thread that runs one stage's step again and again; a step that fails is named once, counted, and tried again."""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import Final

from models.errors import UserError

log = logging.getLogger(__name__)

PAUSE_AFTER_FAULT: Final = 0.2
"""Seconds before a failed step is tried again, so that a lasting fault does not eat the machine."""
LONGEST: Final = 300
"""Letters of a fault's name: libraries tell stories of many lines, and it must fit a display's line and an OSC packet."""


class Worker:
    """Runs `step` until stopped. `step` waits for its own input and returns; it never blocks for longer than a moment."""

    def __init__(self, name: str, step: Callable[[], None]) -> None:
        self.name = name
        self.faults: Counter[str] = Counter()
        """How often each kind of fault happened."""
        self.health = ""
        """Empty, or the fault of the last step."""
        self._step = step
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end_soon(self) -> None:
        """Finish the step under way and end; returns at once."""
        self._stop.set()

    def stop(self) -> None:
        """Finish the step under way and end; returns when it has."""
        self.end_soon()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._step()
                self.health = ""
            except Exception as error:  # the show goes on: every fault of a stage is shown and counted, none ends it
                whole = f"{self.name}: {type(error).__name__}: {error}"
                kind = " ".join(whole.split())[:LONGEST]
                if not self.faults[kind]:
                    log.error("%s", whole, exc_info=not isinstance(error, UserError))
                self.faults[kind] += 1
                self.health = kind
                self._stop.wait(PAUSE_AFTER_FAULT)
