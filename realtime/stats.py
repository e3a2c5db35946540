"""Times and latencies of a show: the last values of each kind, summed up as percentiles."""

import contextlib
import itertools
import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.files import written_beside

KEPT: Final = 20_000
"""Values kept of each kind, a quarter of an hour at 20 a second: a show of weeks needs no more memory than one of minutes."""


class Stats:
    """Written from every thread, read at any time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, deque[float]] = {}

    def add(self, kind: str, seconds: float) -> None:
        """One more duration of `kind`."""
        with self._lock:
            self._values.setdefault(kind, deque(maxlen=KEPT)).append(seconds)

    @contextlib.contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        """Add how long the block takes."""
        began = time.perf_counter()
        yield
        self.add(kind, time.perf_counter() - began)

    def median(self, kind: str, last: int = KEPT) -> float | None:
        """Median of the `last` values in seconds, None without any."""
        with self._lock:
            # From the newest back: asked for the last thirty with every picture, while the other threads wait to add theirs.
            values = list(itertools.islice(reversed(self._values.get(kind, ())), last))
        return float(np.median(values)) if values else None

    def summary(self) -> dict[str, Any]:
        """Milliseconds as median, 95th and 99th percentile and largest for each kind."""
        with self._lock:
            values = {kind: np.array(kept) * 1000 for kind, kept in self._values.items()}
        return {"milliseconds": {kind: percentiles(kept) for kind, kept in sorted(values.items())}}


def percentiles(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    """Of a non-empty array."""
    median, p95, p99 = np.percentile(values, [50, 95, 99])
    named = {"median": median, "p95": p95, "p99": p99, "max": values.max()}
    return {"n": len(values), **{name: round(float(value), 3) for name, value in named.items()}}


def write_json(path: Path, report: dict[str, Any]) -> None:
    """Beside the target first, then renamed: a reader never sees half a report."""
    with written_beside(path) as beside:
        beside.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
