"""The option `--networks DIR` of tools that judge pictures: the folder of the networks of `models/judge/networks.py`."""

import argparse
from pathlib import Path
from typing import Final

FOLDER: Final = Path("../shared/models")  # beside the project, as a work copy may have it; a fresh clone has none


def add_networks(parser: argparse.ArgumentParser) -> None:
    """The option itself; whether the networks lie there is told by those who open them."""
    parser.add_argument(
        "--networks", type=Path, default=FOLDER, metavar="DIR", help="folder of the networks that judge (%(default)s)"
    )
