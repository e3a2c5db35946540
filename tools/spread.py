"""The same work on many things, in one process or several, with a bar that shows how far it is."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

import torch
from rich.console import Console
from rich.progress import track

T = TypeVar("T")
R = TypeVar("R")
C = TypeVar("C")

_context: Any = None  # of a worker process: what its tools are


def spread(prepare: Callable[[], C], work: Callable[[C, T], R], items: Sequence[T], jobs: int, what: str) -> list[R]:
    """`work(tools, item)` for every item, in order; each process makes its own tools with `prepare`. One thread each.

    With more than one job, both functions and everything they carry must be picklable."""
    console = Console(stderr=True)
    if jobs == 1:
        torch.set_num_threads(1)
        context = prepare()
        return [work(context, item) for item in track(items, what, console=console)]
    with ProcessPoolExecutor(jobs, initializer=_begin, initargs=(prepare,)) as pool:
        found = pool.map(_Work(work), items, chunksize=max(1, min(16, len(items) // (4 * jobs))))
        return list(track(found, what, total=len(items), console=console))


def _begin(prepare: Callable[[], Any]) -> None:
    global _context
    torch.set_num_threads(1)
    _context = prepare()


class _Work:
    def __init__(self, work: Callable[[Any, Any], Any]) -> None:
        self._work = work

    def __call__(self, item: Any) -> Any:
        return self._work(_context, item)
