"""The option `--json FILE` of tools that measure: its place is tried before work of hours, and it is written whole."""

import argparse
import json
from pathlib import Path
from typing import Any

from models.files import make_place, written_beside


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option itself."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")


def check_json(file: Path | None) -> None:
    """Make its folder if need be. Raises UserError where it can't be written; nothing where none is wanted."""
    make_place(file, "the file of the figures")


def write_json(file: Path | None, figures: dict[str, Any]) -> None:
    """Where one is wanted. Raises UserError where that can't be done."""
    if file is not None:
        with written_beside(file) as beside:
            beside.write_text(json.dumps(figures, indent=1))
