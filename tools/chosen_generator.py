"""The options `--generator` and `--label`, and `--random` of tools that only measure: which generator a tool works with."""

import argparse
from pathlib import Path

from models.errors import UserError
from models.stylegan.converted import load_generator
from models.stylegan.default import load_default_generator
from models.stylegan.generator import Generator
from models.stylegan.random_weights import CONFIGS, RESOLUTION, random_generator
from tools.ranges import whole


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--generator`, `--label`."""
    parser.add_argument(
        "--generator", type=Path, metavar="FILE|FOLDER", help="one of your own (docs/generators.md); default: the one that ships"
    )
    parser.add_argument(
        "--label", type=whole("--label", 0), metavar="N", help="the class to draw, of a class-conditional generator"
    )


def add_random(parser: argparse.ArgumentParser) -> None:
    """`--random`."""
    parser.add_argument(
        "--random", choices=CONFIGS, help=f"instead of --generator: this architecture for {RESOLUTION}², its weights random"
    )


def arguments_of(options: argparse.Namespace) -> list[str]:
    """The same options, for another command."""
    given = {"--generator": options.generator, "--label": options.label, "--random": options.random}
    return [part for name, value in given.items() if value is not None for part in (name, str(value))]


def chosen_generator(options: argparse.Namespace) -> Generator:
    """What the options ask for. Raises `UserError` as `load_generator` and `load_default_generator`."""
    if options.label is not None and not options.generator:
        raise UserError("--label chooses a class of a generator of your own, and none is named; name it with --generator")
    if getattr(options, "random", None) is not None:
        if options.generator:
            raise UserError("--random and --generator name two generators; leave one away")
        return random_generator(CONFIGS[options.random])
    return load_generator(options.generator, options.label) if options.generator else load_default_generator()
