"""Draws pictures of seeds with any generator, with truncation, style mixing and noise as NVIDIA's scripts have them.

python -m tools.draw_seeds --seeds 0-7,42 --out pictures
python -m tools.draw_seeds --generator ffhq.pkl --seeds 1-9 --truncation 0.7 --cutoff 8 --noise none --out pictures
python -m tools.draw_seeds --generator ffhq.pkl --seeds 1-9 --mix 85 --crossover 6 --out pictures   # coarse of 1…9, fine of 85
python -m tools.draw_seeds --generator ffhq-r.pkl --seeds 1 --rotate 30 --shift 0.1 0 --out pictures # StyleGAN3 only
"""

import argparse
from pathlib import Path
from typing import Final

import cv2
import torch

from models.errors import UserError, exit_on_user_error
from models.files import make_folder, written_beside
from models.stylegan.generator import Generator
from models.stylegan.seeds import LAST_SEED, seed_in
from models.stylegan.stylegan2 import StyleGan2
from models.stylegan.stylegan3 import StyleGan3
from tools.chosen_generator import add_options, chosen_generator
from tools.ranges import real, whole

MOST_SEEDS: Final = 100_000


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
    rows = generator.num_ws
    for name, value in (("--cutoff", options.cutoff), ("--crossover", options.crossover)):
        if value is not None and not 0 <= value <= rows:
            raise UserError(f"{name} counts rows of ws, 0 to {rows} with this generator; got {value}")
    fine = None if options.mix is None else _ws(generator, options.mix, options)
    make_folder(options.out)
    for seed in seeds_of(options.seeds):
        ws = _ws(generator, seed, options)
        name = f"seed{seed:04d}.png"
        if fine is not None:
            ws = generator.mix(ws, fine, rows // 2 if options.crossover is None else options.crossover)
            name = f"seed{seed:04d}-{options.mix:04d}.png"
        draw(generator, ws, options.noise, options.out / name)
        print(options.out / name, flush=True)


@torch.inference_mode()
def draw(generator: Generator, ws: torch.Tensor, noise: str, path: Path) -> None:
    """Write the picture of `ws` (1, num_ws, w_dim) as a PNG. Raises `UserError` where that can't be."""
    picture = generator.synthesis(ws, noise) if isinstance(generator, StyleGan2) else generator.synthesis(ws)
    grey = (picture[0] * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    with written_beside(path) as beside:
        beside.write_bytes(cv2.imencode(".png", cv2.cvtColor(grey, cv2.COLOR_RGB2BGR))[1].tobytes())


def _ws(generator: Generator, seed: int, options: argparse.Namespace) -> torch.Tensor:
    ws = generator.broadcast(generator.code_of_seed(seed, psi=1.0))
    return generator.truncate(ws, options.truncation, options.cutoff)


def seeds_of(text: str) -> list[int]:
    """`0-3,42` → [0, 1, 2, 3, 42]. Raises `UserError`."""
    seeds: list[int] = []
    for part in text.split(","):
        first_text, dash, last_text = part.strip().partition("-")
        first, last = seed_in(first_text), seed_in(last_text if dash else first_text)
        if first is None or last is None or first > last:
            got = part.strip()[:40]
            raise UserError(f"seeds are numbers up to {LAST_SEED} and ranges of them, such as 0-7,42; got '{got}'")
        seeds += range(first, min(last, first + MOST_SEEDS) + 1)
        if len(seeds) > MOST_SEEDS:
            raise UserError(f"at most {MOST_SEEDS} pictures are drawn at once; '{text}' names more")
    return seeds


def _seed(text: str) -> int:
    seeds = seeds_of(text)
    if len(seeds) != 1:
        raise UserError(f"one seed was expected, got '{text[:40]}'")
    return seeds[0]


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
    add("--mix", type=_seed, metavar="SEED", help="take the fine rows from this seed")
    add(
        "--crossover",
        type=whole("--crossover", 0),
        metavar="N",
        help="the first row that is taken from it (default: half of them)",
    )
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
