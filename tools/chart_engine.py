"""A chart of what tools.bench_engine measured: frames a second by size and way of drawing.

python -m tools.bench_engine --json > out/bench.jsonl
python -m tools.chart_engine out/bench.jsonl docs/engine_speed.png
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from models.errors import UserError, exit_on_user_error
from models.files import written_beside
from models.stylegan.pixels import QUALITIES
from tools.peer import PEER

COLOURS: Final = {PEER: "#b9b9b9", "openvino": "#2f7ed8", "onnxruntime": "#8a62c2", "tensorrt": "#4e9a06", "torch": "#e07b39"}


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a file. Raises UserError for anything but lines of tools.bench_engine."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        for line in lines:
            line["size"], QUALITIES.index(line["quality"]), line["backend"], line["frames_per_second"], line["machine"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} does not hold lines of tools.bench_engine --json ({error}); make it anew") from error
    if not lines:
        raise UserError(f"{path} holds no line; make it with python -m tools.bench_engine --json")
    return lines


def draw(lines: list[dict[str, Any]], path: Path) -> None:
    """One group of bars a size and quality, the peer's first; each bar with its frames a second and how often the peer's."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError(f"charts need matplotlib ({error}); pip install 'speech2expression[train]'") from error
    groups = sorted({(line["size"], line["quality"]) for line in lines}, key=lambda g: (g[0], QUALITIES.index(g[1])))
    names = sorted({line["backend"] for line in lines}, key=lambda name: (name != PEER, list(COLOURS).index(name)))
    figure = Figure(figsize=(7.2, 0.5 + 0.24 * len(lines) + 0.2 * len(groups)), dpi=110)
    axes = figure.add_subplot()
    y, ticks = 0.0, []
    for wanted in groups:
        group = [line for name in names for line in lines if (line["size"], line["quality"], line["backend"]) == (*wanted, name)]
        ticks.append(y + (len(group) - 1) / 2)
        for line in group:
            speed, times = line["frames_per_second"], line.get("times_peer")
            axes.barh(y, speed, height=0.8, color=COLOURS[line["backend"]])
            text = f" {line['backend']}  {speed:g}" + (f"  ({times:g} × the peer)" if times and line["backend"] != PEER else "")
            axes.text(speed, y, text, va="center", fontsize=7.5)
            y += 1
        y += 0.6
    axes.set_yticks(ticks, [f"{size}² {quality}" for size, quality in groups])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.45 * max(line["frames_per_second"] for line in lines))
    axes.set_xlabel("frames a second, from latent to bytes", fontsize=8)
    axes.set_title(lines[0]["machine"], fontsize=8, loc="left")
    axes.tick_params(labelsize=8, left=False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.tight_layout()
    with written_beside(path) as beside:
        figure.savefig(beside, format="png")


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.chart_engine", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lines", type=Path, metavar="LINES.jsonl", help="what tools.bench_engine --json printed")
    parser.add_argument("chart", type=Path, metavar="CHART.png", help="where to draw it")
    args = parser.parse_args(arguments)
    draw(read(args.lines), args.chart)


if __name__ == "__main__":
    sys.exit(main())
