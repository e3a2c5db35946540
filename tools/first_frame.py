"""Starts as a show's engine does, draws one frame, says what it took, and ends: for tools.bench_engine, in a process of its own.

    python -m tools.first_frame --size 256 --backend openvino

Prints one JSON object as soon as the frame is there, and ends when its input does. `peak_memory_mib` is the whole process's, and
null where the system does not say. `python -m tools.peer` does the same with the peer of the default generator.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from engine.nvidia import gpus
from models.errors import UserError, exit_on_user_error
from tools.ranges import whole


def measured(module: str, *arguments: str) -> dict[str, Any]:
    """Of this module or `tools.peer`, in a new process: `first_frame_s` from its start to its first frame, `peak_memory_mib` and,
    where an NVIDIA driver says so, `gpu_memory_held_mib`, what the GPU holds more than before once the frame is drawn: while its
    kernels were chosen it may have been more. Empty where it fails."""
    return said_by([sys.executable, "-m", module, *arguments])


def said_by(command: list[str]) -> dict[str, Any]:
    """As `measured`, of the process that `command` starts."""
    before = _gpu_memory_used()
    start = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - start
        after = _gpu_memory_used()  # it still holds what it draws with
    if process.returncode:
        return {}
    taken = {} if before is None or after is None else {"gpu_memory_held_mib": after - before}
    return {"first_frame_s": round(seconds, 2), **json.loads(line), **taken}


def _gpu_memory_used() -> int | None:
    """MiB of the first GPU."""
    try:
        return next((gpu.used_mib for gpu in gpus()), None)
    except UserError:
        return None


def peak_memory_mib() -> int | None:
    """Of this process."""
    try:
        # Linux's getrusage would also count the process that started this one, up to the moment it did.
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmHWM:")[2].split()[0]) // 2**10
    except (OSError, IndexError, ValueError):
        pass  # another system
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10  # macOS counts bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit


def tell() -> None:
    """That the frame is there, and wait."""
    print(json.dumps({"peak_memory_mib": peak_memory_mib()}), flush=True)
    sys.stdin.read()


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    from engine.choose import open_backend
    from models.stylegan.pixels import QUALITIES
    from tools.chosen_generator import add_options, add_random, chosen_generator

    parser = argparse.ArgumentParser(
        prog="python -m tools.first_frame", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=whole("--size"), required=True, metavar="N", help="width in pixels")
    parser.add_argument("--quality", default="fine", choices=QUALITIES, help="of the default generator (%(default)s)")
    parser.add_argument("--backend", default="auto", help="(%(default)s)")
    parser.add_argument("--nvidia", type=Path, metavar="DIR", help="draw with NVIDIA's code instead (tools/nvidia_code.py)")
    add_options(parser)
    add_random(parser)
    args = parser.parse_args(arguments)
    generator = chosen_generator(args)
    ws = generator.broadcast(generator.code_of_seed(1000)).numpy()
    if args.nvidia:
        from tools.nvidia_code import open_nvidia
        from tools.peer import at_size

        draw = at_size(open_nvidia(args.nvidia, generator)[0], args.size, generator.resolution)
        draw(ws)
        tell()
        return
    with open_backend(generator, args.size, args.backend, args.quality) as backend:
        backend.render(ws)
        tell()


if __name__ == "__main__":
    sys.exit(main())
