"""Work in a process of its own, so that it takes neither the interpreter nor, being nice, the cores from the show."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Background:
    """A function of some module's top level that runs beside the show; Ctrl-C is not for it, the show ends it."""

    def __init__(self, function: Callable[..., None], *arguments: Any) -> None:
        """`function` is given `arguments` and, last, a shared number whose `value` it raises to 1 as it gets on."""
        spawning = multiprocessing.get_context("spawn")
        self._part = spawning.Value("d", 0.0)
        self._process = spawning.Process(target=function, args=(*arguments, self._part), daemon=True)
        with _ctrl_c_for_the_show_alone():
            self._process.start()

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    @property
    def part(self) -> float:
        """How much of the work is done, 0…1, as far as it says so."""
        return float(self._part.value)

    @property
    def failed(self) -> bool:
        """Whether it has ended, and badly."""
        return bool(self._process.exitcode)

    def wait(self, seconds: float | None = None) -> None:
        """Until it has ended, or so long."""
        self._process.join(seconds)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.join()


def telling(part: Any) -> Callable[[float, str], None]:
    """In such a process: what work calls with the part that is done, for its shared number."""

    def tell(done: float, _what: str) -> None:
        part.value = done

    return tell


def give_way() -> None:
    """In such a process: whatever else runs comes first."""
    if hasattr(os, "nice"):
        os.nice(10)


@contextmanager
def _ctrl_c_for_the_show_alone() -> Iterator[None]:
    """A process started here never sees Ctrl-C, which a terminal sends to all."""
    if threading.current_thread() is not threading.main_thread():  # others may not say what a signal does
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
