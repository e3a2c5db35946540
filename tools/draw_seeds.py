"""Draws pictures of seeds with any generator, with truncation, style mixing and noise as NVIDIA's scripts have them.

python -m tools.draw_seeds --seeds 0-7,42 --out pictures
python -m tools.draw_seeds --generator ffhq.pkl --seeds 1-9 --truncation 0.7 --cutoff 8 --noise none --out pictures
python -m tools.draw_seeds --generator ffhq.pkl --seeds 1-9 --mix 85 --crossover 6 --out pictures   # coarse of 1…9, fine of 85
python -m tools.draw_seeds --generator ffhq.pkl --seeds 1-3 --mix 85,100 --styles 0-3 --grid --out pictures # also in one picture
python -m tools.draw_seeds --generator ffhq-r.pkl --seeds 1 --rotate 30 --shift 0.1 0 --out pictures # StyleGAN3 only
"""

import argparse
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import UserError, exit_on_user_error
from models.files import make_folder, written_beside
from models.stylegan.generator import Generator
from models.stylegan.seeds import LAST_SEED, seed_in
from models.stylegan.stylegan2 import StyleGan2
from models.stylegan.stylegan3 import StyleGan3
from tools.chosen_generator import add_options, chosen_generator
from tools.ranges import real, whole

MOST_SEEDS: Final = 100_000
MOST_IN_GRID: Final = 256  # pictures: of 1024² 800 MB

Picture = NDArray[np.uint8]


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    generator = chosen_generator(options)
    if options.noise != "const" and not isinstance(generator, StyleGan2):
        raise UserError(f"only StyleGAN2 has noise that can be chosen; leave --noise {options.noise} away")
    if options.rotate or any(options.shift):
        if not isinstance(generator, StyleGan3):
            raise UserError("only StyleGAN3 can turn and shift its pictures; leave --rotate and --shift away")
        generator.synthesis.input.place(options.rotate, *options.shift)
    for name, value in (("--cutoff", options.cutoff), ("--crossover", options.crossover)):
        if value is not None and not 0 <= value <= generator.num_ws:
            raise UserError(f"{name} counts rows of ws, 0 to {generator.num_ws} with this generator; got {value}")
    seeds, others = seeds_of(options.seeds), [] if options.mix is None else seeds_of(options.mix)
    if not others and (options.styles is not None or options.grid):
        raise UserError("--styles and --grid are of mixed pictures; name the other seeds with --mix")
    columns: list[int | None] = [*others] or [None]
    if len(seeds) * len(columns) > MOST_SEEDS:
        raise UserError(f"at most {MOST_SEEDS} pictures are drawn at once; name fewer seeds")
    if options.grid and (len(seeds) + 1) * (len(others) + 1) > MOST_IN_GRID:
        raise UserError(f"at most {MOST_IN_GRID} pictures are put into one grid; name fewer seeds, or leave --grid away")
    styles = _styles(generator, options)
    make_folder(options.out)
    first = [drawn(generator, _ws(generator, other, options), options.noise) for other in others] if options.grid else []
    lines = [[np.zeros_like(first[0]), *first]] if first else []
    for seed in seeds:
        ws = _ws(generator, seed, options)
        line = [drawn(generator, ws, options.noise)] if options.grid else []
        for other in columns:
            mixed = ws if other is None else generator.mix(ws, _ws(generator, other, options), styles)
            picture = drawn(generator, mixed, options.noise)
            _write(picture, options.out / f"seed{seed:04d}{'' if other is None else f'-{other:04d}'}.png")
            if options.grid:
                line.append(picture)
        lines.append(line)
    if options.grid:
        _write(np.vstack([np.hstack(line) for line in lines]), options.out / "grid.png")


@torch.inference_mode()
def drawn(generator: Generator, ws: torch.Tensor, noise: str) -> Picture:
    """ws (1, num_ws, w_dim) → picture (R, R, 3), RGB."""
    picture = generator.synthesis(ws, noise) if isinstance(generator, StyleGan2) else generator.synthesis(ws)
    grey: Picture = (picture[0] * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    return grey


def _write(picture: Picture, path: Path) -> None:
    """As a PNG, and say so. Raises `UserError` where that can't be."""
    with written_beside(path) as beside:
        beside.write_bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())
    print(path, flush=True)


def _ws(generator: Generator, seed: int, options: argparse.Namespace) -> torch.Tensor:
    ws = generator.broadcast(generator.code_of_seed(seed, psi=1.0))
    return generator.truncate(ws, options.truncation, options.cutoff)


def _styles(generator: Generator, options: argparse.Namespace) -> list[int]:
    """The rows of ws that come from the other seed."""
    rows = generator.num_ws
    if options.styles is not None:
        expected = f"--styles takes rows of ws, 0 to {rows - 1} with this generator, such as 4-7 or 0,2,5-6"
        return _numbers(options.styles, rows - 1, expected)
    return list(range(rows // 2 if options.crossover is None else options.crossover, rows))


def seeds_of(text: str) -> list[int]:
    """`0-3,42` → [0, 1, 2, 3, 42]. Raises `UserError`."""
    return _numbers(text, LAST_SEED, f"seeds are numbers up to {LAST_SEED} and ranges of them, such as 0-7,42")


def _numbers(text: str, most: int, expected: str) -> list[int]:
    numbers: list[int] = []
    for part in text.split(","):
        first_text, dash, last_text = part.strip().partition("-")
        first, last = seed_in(first_text), seed_in(last_text if dash else first_text)
        if first is None or last is None or not first <= last <= most:
            raise UserError(f"{expected}; got '{part.strip()[:40]}'")
        numbers += range(first, min(last, first + MOST_SEEDS) + 1)
        if len(numbers) > MOST_SEEDS:
            raise UserError(f"at most {MOST_SEEDS} pictures are drawn at once; '{text}' names more")
    return numbers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.draw_seeds", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add_options(parser)
    add("--seeds", required=True, metavar="A-B,C…", help="which pictures")
    add(
        "--truncation",
        type=real("--truncation", -2, 2),
        default=0.7,
        metavar="PSI",
        help="1 leaves the pictures as they are, 0 is the mean (%(default)s)",
    )
    add("--cutoff", type=whole("--cutoff", 0), metavar="N", help="truncate the first N rows only (default: all)")
    add("--noise", choices=["const", "none", "random"], default="const", help="StyleGAN2's noise (%(default)s)")
    add("--mix", metavar="A-B,C…", help="mix each picture with each of these seeds: a part of its rows comes from them")
    rows = parser.add_mutually_exclusive_group()
    rows.add_argument(
        "--crossover",
        type=whole("--crossover", 0),
        metavar="N",
        help="the first row that is taken from them, fine ones follow (default: half of all)",
    )
    rows.add_argument("--styles", metavar="A-B,C…", help="instead: which rows are taken from them, such as 4-7 or 0,2,5-6")
    add("--grid", action="store_true", help="also grid.png: a row for each seed, a column for each of --mix, and pure ones")
    add("--rotate", type=real("--rotate", -360, 360), default=0.0, metavar="DEGREES", help="anticlockwise, StyleGAN3 only")
    add(
        "--shift",
        type=real("--shift", -10, 10),
        nargs=2,
        default=[0.0, 0.0],
        metavar=("X", "Y"),
        help="in picture widths, StyleGAN3 only",
    )
    add("--out", type=Path, required=True, metavar="FOLDER", help="where the PNG files go")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
