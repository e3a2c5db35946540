"""A show of minutes or hours without a window: does memory grow, does anything fail, does it stay in time?

    python -m tools.soak --minutes 60

Plays the bundled voice in a loop through the whole way and prints one line a minute; exit code 1 if memory grew by more than a
tenth after the first minute, or any stage failed.
"""

import argparse
import contextlib
import math
import sys
import threading
import time
from pathlib import Path

from rich.console import Console

from models.errors import exit_on_user_error
from realtime.build import build_stages, open_source
from realtime.clock import MonotonicClock
from realtime.settings import load
from realtime.show import LiveShow
from tools.first_frame import peak_memory_mib
from tools.ranges import whole

MINUTE = 60.0
"""Seconds."""
GROWTH = 1.1
"""Memory at the end over memory after the first minute."""


def memory() -> float:
    """Of this process now, MiB. Falls back to the peak where the system does not tell, to no number where it tells neither."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024
    return float(peak_memory_mib() or math.nan)


@exit_on_user_error
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=whole("--minutes"), default=60, metavar="N")
    minutes = max(2, parser.parse_args(arguments).minutes)
    console = Console()
    settings, _ = load(["--audio", "demo", "--loop", "--no-window", "--set", "audio.speaker=false", "--osc", "127.0.0.1:9"])
    clock = MonotonicClock()
    source = open_source(settings, clock, looping=True)
    engine, stages = build_stages(settings, clock, source.ring, None, live=True)
    show = LiveShow(stages, source, None, settings.picture.fps)
    used: list[float] = []

    def watch() -> None:
        while len(used) < minutes:
            time.sleep(MINUTE)
            used.append(memory())
            interval, late = stages.stats.median("frame interval", 500), stages.stats.median("sound to osc", 500)
            rate, late_ms = 1 / interval if interval else 0.0, 1000 * (late or 0)
            figures = f"{used[-1]:.0f} MiB, {rate:.1f} frames/s, sound to OSC {late_ms:.0f} ms"
            console.print(f"minute {len(used)}: {figures}, {show.health or 'ok'}")

    watcher = threading.Thread(target=watch, name="soak", daemon=True)  # of a show that is ended early there is nothing to watch
    watcher.start()
    with contextlib.closing(engine):
        report = show.run(MINUTE * minutes)
    watcher.join()
    console.print_json(data=report)
    grew = used[-1] / used[0]
    console.print(f"memory after {minutes} minutes: {grew:.3f} of that after the first; faults: {report['faults'] or 'none'}")
    return 1 if grew > GROWTH or report["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
