"""The options `--generator` and `--label`: which generator a tool works with."""

import argparse
from pathlib import Path

from models.errors import UserError
from models.stylegan.converted import load_generator
from models.stylegan.default import load_default_generator
from models.stylegan.generator import Generator
from tools.ranges import whole


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--generator`, `--label`."""
    parser.add_argument(
        "--generator", type=Path, metavar="FILE|FOLDER", help="one of your own (docs/generators.md); default: the one that ships"
    )
    parser.add_argument(
        "--label", type=whole("--label", 0), metavar="N", help="the class to draw, of a class-conditional generator"
    )


def chosen_generator(options: argparse.Namespace) -> Generator:
    """What `add_options`' options ask for. Raises `UserError` as `load_generator` and `load_default_generator`."""
    if options.label is not None and not options.generator:
        raise UserError("--label chooses a class of a generator of your own, and none is named; name it with --generator")
    return load_generator(options.generator, options.label) if options.generator else load_default_generator()
