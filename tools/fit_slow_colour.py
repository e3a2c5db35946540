"""Fits the slow colours of a head (`models/stylegan/slow_colour.py`) to the generator's own pictures, all else of it as it is.

    python -m tools.fit_slow_colour 256_from_128 --minutes 20

After `tools.fit_head`, which fits them only along with the rest: what they read are averages over squares of four positions, so
here a whole face is a thousand numbers a channel, and many more faces are seen in the same time. The faces are those that
`tools.fit_head` drew. Loss: absolute difference of colours averaged over one, two and four squares, the root of the squared one
(against the rare face that is far off), and of the two colour differences; the same of what the averaged layers say alone, and
in half a square too: if they may lean on what the head drew, they learn less.
"""

import argparse
import copy
import os
import time
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from rich.progress import track
from torch import Tensor
from torch.nn import functional as F

from models.descent import cosine_pace, descend, share_kept
from models.errors import exit_on_user_error
from models.files import cache_folder
from models.precision import fast_autocast
from models.stylegan.default import load_default_generator
from models.stylegan.head import DESIGNS, SIDE, Head, load_head
from models.stylegan.slow_colour import CELL, SlowColour, averages
from tools.fit_head import OPPONENT, Material, measure
from tools.head_pairs import HELD_OUT, draw_pairs
from tools.ranges import add_threads, real, whole

BATCH: Final = 16
CROP: Final = 16  # squares to a crop's side
LEARNING_RATE: Final = 2e-3
WARM_UP: Final = 50  # steps
UNSEEN: Final = 1.24  # how much more wrong the head's own colours are on faces that it was not fitted to
SECONDS_A_LINE: Final = 30
AVERAGED: Final = 0.998  # of the weights' average that a step keeps, at most
STEEPEST: Final = 1.0  # length of all gradients together


class Squares(NamedTuple):
    """Faces in squares: what `SlowColour` takes and what it should say."""

    mean: Tensor  # (N, C, 32, 32) bfloat16, as the peaks
    peak: Tensor
    styles: Tensor  # (N, S)
    drawn: Tensor  # (N, 3, 32, 32)
    wanted: Tensor  # (N, 3, 64, 64), in half squares

    def some(self, faces: Tensor, y: int = 0, x: int = 0, size: int = SIDE // CELL) -> "Squares":
        """Those faces, `size` squares from (y, x) on."""
        place = (slice(y, y + size), slice(x, x + size))
        half = (slice(2 * y, 2 * (y + size)), slice(2 * x, 2 * (x + size)))
        mean, peak, drawn = (a[faces][..., *place].float() for a in (self.mean, self.peak, self.drawn))
        return Squares(mean, peak, self.styles[faces], drawn, self.wanted[faces][..., *half])


@torch.inference_mode()
def in_squares(head: Head, material: Material) -> Squares:
    """All faces of `material` as the head sees and sketches them."""
    n, side, channels = len(material), SIDE // CELL, head.design.grown
    # Room for all at once: small results kept between large ones that come and go would leave holes in memory, 12 GB of them.
    room = Squares(
        torch.empty(n, channels, side, side, dtype=torch.bfloat16),
        torch.empty(n, channels, side, side, dtype=torch.bfloat16),
        torch.empty(n, len(head.style_mean)),
        torch.empty(n, 3, side, side),
        torch.empty(n, 3, 2 * side, 2 * side),
    )
    for i in track(range(n), "what the head sees"):
        features, target = material.crop(i, 0, 0, SIDE)
        x, styles = head.scaled(features[None].float(), material.styles[i : i + 1])
        pixels = target.shape[-1] // side
        found = (*averages(x), styles, F.avg_pool2d(head.sketch(x, styles), pixels), F.avg_pool2d(target[None], pixels // 2))
        for kept, part in zip(room, found, strict=True):
            kept[i] = part[0]
    return room


def loss_of(difference: Tensor) -> Tensor:
    """See the module's docstring; (N, 3, h, w), of colours averaged over squares."""
    opponents = torch.einsum("oc,nchw->nohw", torch.tensor(OPPONENT), difference)
    loss = opponents.abs().mean()
    for squares, weight in ((1, 2.0), (2, 2.0), (4, 1.0)):
        averaged = F.avg_pool2d(difference, squares)
        loss = loss + weight * averaged.abs().mean() + 0.5 * averaged.square().mean().sqrt()
    return loss


def answers(slow: SlowColour, part: Squares) -> tuple[Tensor, Tensor]:
    """How wrong the averaged layers are: alone, in half squares (N, 3, 2h, 2w); weighed with the head's picture (N, 3, h, w)."""
    skipped = slow.skipped(part.mean, part.peak, part.styles)
    alone = slow.rgb(F.avg_pool2d(skipped, 2))
    return alone - part.wanted, slow.weigh(skipped, part.drawn) - F.avg_pool2d(part.wanted, 2)


def fit(slow: SlowColour, squares: Squares, minutes: float) -> SlowColour:
    """Adam with a cosine pace; returns the running average of the weights."""
    slow.requires_grad_(True).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(slow).requires_grad_(False)
    optimiser = torch.optim.Adam(slow.parameters(), lr=LEARNING_RATE)
    draw = torch.Generator().manual_seed(0)
    begun = said = time.monotonic()
    step = 0
    while (share := (time.monotonic() - begun) / (60 * minutes)) < 1:
        pace = min(1, (step + 1) / WARM_UP) * cosine_pace(share, 0.01)
        for group in optimiser.param_groups:
            group["lr"] = pace * LEARNING_RATE
        y, x = torch.randint(0, SIDE // CELL - CROP + 1, (2,), generator=draw).tolist()
        part = squares.some(torch.randint(HELD_OUT, len(squares.mean), (BATCH,), generator=draw), y, x, CROP)
        right = F.avg_pool2d(part.wanted, 2)
        part = part._replace(drawn=right + UNSEEN * (part.drawn - right))
        with fast_autocast():
            alone, weighed = (wrong.float() for wrong in answers(slow, part))
        loss = loss_of(weighed) + loss_of(F.avg_pool2d(alone, 2)) + alone.abs().mean()
        descend(loss, slow, optimiser, average, share_kept(step, AVERAGED), STEEPEST)
        step += 1
        if time.monotonic() - said > SECONDS_A_LINE:
            said = time.monotonic()
            print(f"{step * BATCH} crops, {100 * share:.0f} %: {mean_error(average, squares):.2f} of 255", flush=True)
    return average


@torch.inference_mode()
def mean_error(slow: SlowColour, squares: Squares) -> float:
    """Mean error of the averaged colours of the held-out faces, in levels of 255."""
    errors = []
    for faces in torch.split(torch.arange(HELD_OUT), 8):
        part = squares.some(faces)
        errors.append(answers(slow, part)[1].abs().mean())
    return 127.5 * float(np.mean(errors))


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("head", choices=list(DESIGNS), help="which head: side of its pictures, and of the features it reads")
    parser.add_argument("--minutes", type=real("--minutes", 0.01, 1e6), default=20, help="how long to fit (default 20)")
    parser.add_argument(
        "--faces", type=whole("--faces", HELD_OUT + BATCH + 1), default=1500, help="how many faces to draw (default 1500)"
    )
    add_threads(parser, os.cpu_count() or 1)
    parser.add_argument("--work", type=Path, help="folder for the drawn faces (default that of tools.fit_head)")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    design = DESIGNS[args.head]
    generator = load_default_generator()
    material = Material(generator, draw_pairs(generator, args.faces, args.work or cache_folder("head")), design)
    head = load_head(design, generator.graph_hash)
    squares = in_squares(head, material)
    print(f"as sketched {127.5 * float((squares.drawn - F.avg_pool2d(squares.wanted, 2))[:HELD_OUT].abs().mean()):.2f} of 255, "
          f"corrected so far {mean_error(head.slow_colour, squares):.2f}", flush=True)  # fmt: skip
    head.slow_colour = fit(head.slow_colour, squares, args.minutes)
    head.write(design.weights, generator.graph_hash)
    print(measure(load_head(design, generator.graph_hash), material, range(HELD_OUT)))


if __name__ == "__main__":
    main()
