"""How far long work is: a bar on stderr where that is a terminal, nothing in a file or a pipe."""

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from models.expression.progress import Progress


@contextlib.contextmanager
def progress_bar(*more: ProgressColumn) -> Iterator[Progress]:
    """What to call while the work lasts; lines that are printed meanwhile stand above the bar, which has `more` columns."""
    columns = (TextColumn("{task.description:24}"), BarColumn(), TimeElapsedColumn(), *more)
    console, shown = Console(stderr=True), sys.stderr.isatty()
    # Where stdout is a file, what is printed must not be led to the bar's terminal.
    with Bars(*columns, console=console, redirect_stdout=sys.stdout.isatty(), disable=not shown) as bars:
        bar = bars.add_task("", total=1.0)
        yield lambda part, what: bars.update(bar, completed=part, description=what)
