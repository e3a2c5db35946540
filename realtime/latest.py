"""The hand-over between stages: one slot, the newest value wins, and what was dropped is counted."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """One writer, one reader, nothing queues up."""

    def __init__(self, merged: Callable[[T, T], T] = lambda _dropped, newer: newer) -> None:
        """`merged(dropped, newer)` is handed over instead of the newer one where something of the older must not be lost."""
        self._merged = merged
        self._condition = threading.Condition()
        self._value: T | None = None
        self.dropped = 0
        """Values that were replaced before anyone took them."""

    def put(self, value: T) -> None:
        """Offer `value`; an older one that nobody took is dropped. Never blocks for long."""
        with self._condition:
            if self._value is not None:
                self.dropped += 1
                value = self._merged(self._value, value)
            self._value = value
            self._condition.notify()

    def take(self, timeout: float = 0.0) -> T | None:
        """The newest value not taken yet, or None after `timeout` seconds without one."""
        with self._condition:
            if self._value is None and timeout > 0:
                self._condition.wait(timeout)
            value, self._value = self._value, None
            return value
