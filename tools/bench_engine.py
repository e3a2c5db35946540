"""Measures every way of drawing on this machine, beside the way the generator's own package draws.

    python -m tools.bench_engine                              # all backends, sizes and qualities, as a table
    python -m tools.bench_engine --size 256 --json > out.jsonl # one JSON object a line
    python -m tools.bench_engine --size 256 --quality fast     # one way to 256²
    python -m tools.bench_engine --generator ffhq.pkl          # a StyleGAN2 or StyleGAN3 of your own, in its own sizes, no peer
    python -m tools.bench_engine --random config-f --size 1024 # StyleGAN2 without a checkpoint, its weights random
    python -m tools.bench_engine --generator ffhq.pkl --size 1024 --nvidia stylegan2-ada-pytorch # beside NVIDIA's code there

A line holds the median and the 99th percentile of a frame's time, from latent to bytes, frames per second, the ratio to the peer,
`db_to_peer`: how like the peer's its picture is (PSNR in dB; where a head draws, that says how well it was fitted), the commit
and the machine; `first_frame_s` and `peak_memory_mib` of a new process that draws one frame in this way, all that is made once
being there already; and, where NVIDIA's driver says so, the `milliwatts` the GPU takes while drawing and, of that new process,
`gpu_memory_held_mib`, what it holds of the GPU's memory once the frame is drawn. `python -m tools.chart_engine` draws a chart of
such lines.

The peer is measured alike. It is `random-face`: its network in OpenVINO as it comes, then numpy from floats to bytes (and OpenCV
to shrink them). For a generator of your own or of random weights it is NVIDIA's PyTorch code (`tools/nvidia_code.py`), where
--nvidia names a folder that holds it. All that is compared is drawn in turns, frame by frame, so whatever else the machine does
meets each of them alike; only the ratio of two lines of one run says something about the two.
"""

import argparse
import contextlib
import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino
import torch
from numpy.typing import NDArray

from engine import cache
from engine.backend import BACKENDS
from engine.choose import open_backend
from engine.nvidia import first_gpu_while, gpus_at_start
from models.errors import UserError, exit_on_user_error
from models.judge.fidelity import psnr
from models.stylegan.generator import Generator
from models.stylegan.mobile import MobileStyleGAN
from models.stylegan.pixels import QUALITIES, ways_of
from tools import first_frame
from tools.chosen_generator import add_options, add_random, arguments_of, chosen_generator
from tools.nvidia_code import open_nvidia
from tools.peer import PEER, Draw, at_size, open_peer
from tools.ranges import whole

EQUAL: Final = 99.0  # dB, of pictures without any difference


def open_peer_of(generator: Generator, nvidia: Path | None) -> tuple[Draw | None, str]:
    """Whom `generator` is measured beside, in its full size, and a description; nobody for a stranger's without `nvidia`."""
    if nvidia:
        return open_nvidia(nvidia, generator)
    if not isinstance(generator, MobileStyleGAN):
        return None, ""
    return open_peer(), f"random-face as it comes, OpenVINO {openvino.__version__.split('-')[0]}, numpy"


def codes(generator: Generator, frames: int) -> Iterator[NDArray[np.float32]]:
    """`frames` different codes, as a show has them: a slow way from one face to another."""
    start, end = (generator.code_of_seed(seed) for seed in (1000, 1001))
    for i in range(frames):
        yield generator.broadcast(torch.lerp(start, end, i / frames)).numpy()


def measure(ways: dict[str, Draw], generator: Generator, frames: int) -> dict[str, list[float]]:
    """Milliseconds of every frame of every way, drawn in turns."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for warm, ws in enumerate(codes(generator, frames + 2)):
        for name, draw in ways.items():
            start = time.perf_counter()
            draw(ws)
            if warm >= 2:
                times[name].append(1000 * (time.perf_counter() - start))
    return times


def likeness(ways: dict[str, Draw], generator: Generator) -> dict[str, float]:
    """PSNR of every way's picture of one code to the peer's, in dB, at most `EQUAL`; nothing without a peer."""
    if PEER not in ways:
        return {}
    ws = next(codes(generator, 1))
    pictures = {name: draw(ws) for name, draw in ways.items()}
    peer = pictures.pop(PEER)
    return {name: round(min(psnr(peer, picture), EQUAL), 1) for name, picture in pictures.items()}


def commit() -> str:
    """The commit that is measured, or "unknown" outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def on_gpu(draw: Draw, generator: Generator) -> dict[str, Any]:
    """What the first NVIDIA GPU says while `draw` keeps it busy; nothing without one."""
    ws = next(codes(generator, 1))
    gpu = first_gpu_while(lambda: draw(ws))
    return {"milliwatts": gpu.milliwatts} if gpu else {}


def machine() -> str:
    """Processor, system and, if there is one, the first NVIDIA GPU."""
    gpus = []
    with contextlib.suppress(UserError):
        gpus = gpus_at_start()
    return ", ".join([cache.processor(), platform.system(), *(gpu.name for gpu in gpus[:1])])


def first_frame_of(name: str, size: int, quality: str, args: argparse.Namespace) -> dict[str, Any]:
    """What a process takes that draws one frame in this way (`first_frame.measured`)."""
    if name == PEER and not args.nvidia:
        return first_frame.measured("tools.peer", "--size", str(size))
    how = ["--nvidia", str(args.nvidia)] if name == PEER else ["--backend", name, "--quality", quality]
    return first_frame.measured("tools.first_frame", "--size", str(size), *how, *arguments_of(args))


def line(name: str, description: str, size: int, quality: str, times: list[float], peer: list[float] | None) -> dict[str, Any]:
    """One result, ready for JSON."""
    median, p99 = float(np.median(times)), float(np.percentile(times, 99))
    return {
        "backend": name,
        "description": description,
        "size": size,
        "quality": quality,
        "frames": len(times),
        "median_ms": round(median, 2),
        "p99_ms": round(p99, 2),
        "p99_over_median": round(p99 / median, 2),
        "frames_per_second": round(1000 / median, 1),
        "times_peer": round(float(np.median(peer)) / median, 2) if peer else None,
        "commit": commit(),
        "machine": machine(),
    }


def row(result: dict[str, Any]) -> str:
    """One result for people."""
    first = f"{result['first_frame_s']:.1f} s" if "first_frame_s" in result else "-"
    memory = f"{result['peak_memory_mib']} MiB" if result.get("peak_memory_mib") else "-"
    alike = f"{result['db_to_peer']:.1f} dB" if "db_to_peer" in result else "-"
    return (
        f"{result['size']:>5} {result['quality']:<7} {result['backend']:<11} "
        f"{result['median_ms']:>6.1f} ms {result['p99_ms']:>6.1f} ms "
        f"{result['frames_per_second']:>9.1f} {result['times_peer'] or '-':>11} {alike:>8} "
        f"{first:>9} {memory:>9}  {result['description']}"
    )


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=whole("--size"), nargs="+", metavar="N", help="widths in pixels (default all)")
    parser.add_argument(
        "--quality", nargs="+", default=list(QUALITIES), choices=QUALITIES, help="of the default generator (default all)"
    )
    add_options(parser)
    add_random(parser)
    parser.add_argument(
        "--nvidia", type=Path, metavar="DIR", help="the peer of your own generator: a checkout of NVIDIA's code, which is run"
    )
    parser.add_argument("--backend", nargs="+", default=list(BACKENDS), choices=list(BACKENDS), help="(default all)")
    parser.add_argument("--frames", type=whole("--frames"), default=40, help="frames of each way and size (default 40)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the table")
    args = parser.parse_args(arguments)
    generator = chosen_generator(args)
    peer, peer_description = open_peer_of(generator, args.nvidia)
    if not args.json:
        print(
            f"{machine()}\n{'size':>5} {'quality':<7} {'backend':<11} "
            f"{'median':>9} {'99th':>9} {'frames/s':>9} {'times peer':>11} {'to peer':>8} "
            f"{'1st frame':>9} {'memory':>9}  with"
        )
    for size, quality in ways_of(generator, args.size or generator.sizes, args.quality):
        with contextlib.ExitStack() as opened:
            ways = {PEER: at_size(peer, size, generator.resolution)} if peer else {}
            descriptions = {PEER: peer_description}
            for name in args.backend:
                try:
                    backend = opened.enter_context(open_backend(generator, size, name, quality))
                except UserError as error:
                    print(f"{name} at {size}²: {error}", file=sys.stderr)
                    continue
                ways[name], descriptions[name] = backend.render, backend.description
            times = measure(ways, generator, args.frames)
            alike = likeness(ways, generator)
            gpu = {name: on_gpu(draw, generator) for name, draw in ways.items()}
        for name in ways:
            result = line(name, descriptions[name], size, quality, times[name], times.get(PEER))
            if name in alike:
                result["db_to_peer"] = alike[name]
            result |= first_frame_of(name, size, quality, args) | gpu[name]
            if args.json:
                print(json.dumps(result), flush=True)
            else:
                print(row(result), flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
