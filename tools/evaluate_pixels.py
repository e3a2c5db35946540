"""How true the pictures of every size are to the whole generator's, shrunk by averaging: PSNR, MS-SSIM and FLIP.

    python -m tools.evaluate_pixels                                      # all sizes, as a show draws them here
    python -m tools.evaluate_pixels --size 256 --faces 24 --backend torch --networks FOLDER --sheet out/256.png

Three kinds of pictures: `plain` faces that nothing was fitted to (truncation 0.7), the same faces with the shipped directions of
the five expressions in turn (`expressions`), and the nine shipped faces with their own paths (`shipped`), five expressions each.

psnr, worst   dB, of the mean error of a picture; the mean over pictures, and the worst
ms-ssim       1 for equal pictures (Wang, Simoncelli and Bovik 2003)
flip          mean of the error map of FLIP (Andersson et al. 2020), 0…1, as seen from 67 pixels per degree
colour        mean difference after averaging over 16×16 pixels, 0…255
grid          what of the difference repeats every four pixels, 0…255 (root mean square), and what noise as large as the
              difference, which has no grid, would give
sface, fer    with --networks: identity as a cosine, mean, share of pictures of at least .95 and worst, and the share of pictures
              of which the verdict on the expression is the same
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F

from engine.backend import BACKENDS
from engine.choose import open_backend
from models.errors import UserError, exit_on_user_error
from models.expression.bank import load_bank, load_predictor
from models.expression.paths import ExpressionPaths
from models.judge.crops import Picture
from models.judge.fidelity import grid, grid_of_noise, ms_ssim, psnr, slow_colour
from models.judge.measure import Detector, Fer, SFace
from models.judge.networks import check_there
from models.labels import EMOTIONS
from models.stylegan.default import load_default_generator
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.pixels import QUALITIES, SIZES, Quality, ways_of
from tools.ranges import whole
from tools.render_emotions import write_picture

FIRST_SEED: Final = 50_000
SAME: Final = 0.95  # SFace's cosine
SHOWN: Final = 6  # pictures on a sheet
WIDTH: Final = 140  # characters of the table
Codes = NDArray[np.float32]


def codes(generator: MobileStyleGAN, faces: int) -> Iterator[tuple[str, Codes]]:
    """Kind and ws (1, num_ws, 512) of every picture."""
    for seed in range(FIRST_SEED, FIRST_SEED + faces):
        ws = generator.broadcast(generator.code_of_seed(seed)).numpy()
        yield "plain", ws
        yield "expressions", expressed(load_predictor(generator.graph_hash).paths(ws[0], f"seed:{seed}"), seed % len(EMOTIONS))
    for face in load_bank(generator.graph_hash).values():
        for emotion in range(len(EMOTIONS)):
            yield "shipped", expressed(face, emotion)


def expressed(face: ExpressionPaths, emotion: int) -> Codes:
    """One emotion in full; of every second one the mouth is half open, as it is in speech."""
    return face.blend(np.eye(len(EMOTIONS))[emotion], rig={"mouth_open": 0.5 * (emotion % 2)})


def whole_pictures(generator: MobileStyleGAN, ws: Codes, sizes: Iterable[int]) -> dict[int, Picture]:
    """What should be drawn in each of the sizes: the 1024² picture in float32, averaged, then rounded to bytes."""
    with torch.inference_mode():
        whole = generator.picture(torch.from_numpy(ws), generator.resolution)
        shrunk = {size: F.avg_pool2d(whole, generator.resolution // size)[0] for size in sizes}
    return {size: (((p + 1) * 127.5).round().clamp(0, 255)).byte().permute(1, 2, 0).numpy() for size, p in shrunk.items()}


def flip(reference: Picture, drawn: Picture) -> tuple[Picture, float]:
    """FLIP's error map (H, W, 3), coloured from black to white, and its mean. Raises UserError without its package."""
    try:
        import flip_evaluator
    except ImportError as error:
        raise UserError(f"FLIP is not installed ({error}); pip install flip-evaluator") from error
    a, b = (np.ascontiguousarray(p, np.float32) / 255 for p in (reference, drawn))
    shown, mean, _ = flip_evaluator.evaluate(a, b, "LDR")
    return (np.asarray(shown) * 255).round().astype(np.uint8), float(mean)


class Judges:
    """Networks that look at faces: do they notice that another picture was drawn?"""

    def __init__(self, folder: Path) -> None:
        check_there(folder, "yunet", "sface", "fer")
        self._detector, self._identity, self._expression = Detector(folder), SFace(folder), Fer(folder)

    def __call__(self, reference: Picture, drawn: Picture) -> dict[str, float]:
        """Nothing, where the generator drew no face."""
        try:
            face = self._detector(reference)
        except UserError:
            return {}
        same = self._expression(drawn, face).argmax() == self._expression(reference, face).argmax()
        return {"sface": float(self._identity(drawn, face) @ self._identity(reference, face)), "fer": float(same)}


def summary(rows: list[dict[str, float]]) -> dict[str, float]:
    """Means over pictures, the share of those in which identity stays, and the worst PSNR and identity."""
    seen = {key: [row[key] for row in rows if key in row] for row in rows for key in row}
    means = {key: float(np.mean(values)) for key, values in seen.items()}
    share = {f"sface >= {SAME:.2f}": float(np.mean(np.array(seen["sface"]) >= SAME))} if "sface" in seen else {}
    worst = {f"worst {key}": min(seen[key]) for key in ("psnr", "sface") if key in seen}
    return {"pictures": len(rows), **means, **share, **worst}


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    args = _parser().parse_args(arguments)
    generator = load_default_generator()
    judges = Judges(args.networks) if args.networks else None
    ways = ways_of(generator, args.size, args.quality)
    backends = {(size, quality): open_backend(generator, size, args.backend, quality) for size, quality in ways}
    rows: dict[tuple[int, Quality, str], list[dict[str, float]]] = {}
    sheet: list[tuple[float, NDArray[np.uint8]]] = []
    for kind, ws in codes(generator, args.faces):
        references = whole_pictures(generator, ws, args.size)
        for (size, quality), backend in backends.items():
            reference, drawn = references[size], backend.render(ws)
            errors, mean = flip(reference, drawn)
            row = {"psnr": min(psnr(reference, drawn), 99.0), "ms-ssim": ms_ssim(reference, drawn), "flip": mean}
            row |= {"colour": slow_colour(reference, drawn), "grid": grid(reference, drawn)}
            row |= {"grid of noise": grid_of_noise(reference, drawn)}
            row |= judges(reference, drawn) if judges else {}
            rows.setdefault((size, quality, kind), []).append(row)
            if (size, quality) == min(ways):
                sheet.append((mean, np.hstack([reference, drawn, errors])))
    results = [
        {"size": size, "quality": quality, "kind": kind, "with": backends[size, quality].description, **summary(part)}
        for (size, quality, kind), part in rows.items()
    ]
    for backend in backends.values():
        backend.close()
    if args.sheet:
        worst_first = [picture for _, picture in sorted(sheet, key=lambda item: -item[0])]
        write_picture(args.sheet, np.vstack(worst_first[:: max(1, len(sheet) // SHOWN)][:SHOWN]))
    if args.json:
        for result in results:
            print(json.dumps(result), flush=True)
    else:
        show(results)


def show(results: list[dict[str, Any]]) -> None:
    """As a table."""
    keys = [key for key in results[0] if key != "with"]
    table = Table(*keys, caption="; ".join(dict.fromkeys(f"{r['size']}² {r['quality']}: {r['with']}" for r in results)))
    for result in sorted(results, key=lambda result: (result["size"], result["quality"])):
        table.add_row(*(f"{value:.3f}" if isinstance(value := result.get(key), float) else str(value) for key in keys))
    console = Console()
    console.width = max(console.width, WIDTH)  # into a file or a pipe the table is not to be cut
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.evaluate_pixels", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--size", type=whole("--size"), nargs="+", default=list(SIZES), choices=SIZES, help="widths in pixels (default all)"
    )
    parser.add_argument("--quality", nargs="+", default=["fine"], choices=QUALITIES, help="(default fine)")
    parser.add_argument(
        "--faces", type=whole("--faces"), default=24, metavar="N", help="faces that nothing was fitted to (%(default)s)"
    )
    parser.add_argument(
        "--backend", default="auto", choices=["auto", *BACKENDS], help="what draws them (%(default)s: as a show here)"
    )
    parser.add_argument("--networks", type=Path, metavar="DIR", help="folder of the judging networks: also ask them")
    parser.add_argument("--sheet", type=Path, metavar="OUT.png", help="write pictures of the smallest size: true, drawn, FLIP")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the table")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
