"""What `evaluate_emotion` found, as tables on the terminal and as pictures."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from models.errors import UserError
from models.files import make_folder
from models.labels import EMOTIONS


def show(console: Console, result: dict[str, Any]) -> None:
    """Everything that was measured, on the terminal."""
    table = Table("corpus", "clips", "UAR", "UAR of the plain mean", "excited or calm", "pleasant or not", "calibration error")
    for name, found in [*result["corpora"].items(), ("all", result["all"])]:
        figures = (
            f"{found[key]:.3f}" for key in ("uar", "uar_of_plain_mean", "excited_uar", "pleasant_uar", "calibration_error")
        )
        table.add_row(name, str(found["clips"]), *figures)
    console.print(table)
    if nobody := result["all"]["nobody_heard"]:
        console.print(f"in {nobody} of {result['all']['clips']} clips nobody was heard: they count as certainly neutral")
    counts = Table("intended \\ heard", *EMOTIONS)
    for emotion, row in zip(EMOTIONS, result["all"]["confusion"], strict=True):
        counts.add_row(emotion, *map(str, row))
    console.print(counts)
    spread = np.array(list(result["speakers"].values()))
    console.print(f"speakers: {len(spread)}, UAR from {spread.min():.2f} to {spread.max():.2f}, median {np.median(spread):.2f}")
    hops = result["hop_milliseconds"]
    console.print(f"processor time per hop of 100 ms: median {hops['median']:.1f} ms, 95th percentile {hops['p95']:.1f} ms")
    if "robustness" in result:
        show_robustness(console, result["robustness"])
    for reason in ("no_changes", "no_steady"):
        if reason in result:
            console.print(result[reason])
    if "changes" in result:
        _show_changes(console, result["changes"])
    if "steady" in result:
        _show_steady(console, result["steady"])
    if "by_attack" in result:
        _show_by_attack(console, result["by_attack"])
    if "no_voice" in result:
        _show_no_voice(console, result["no_voice"])


def show_robustness(console: Console, found: dict[str, Any]) -> None:
    """UAR per condition and corpus, and what is lost."""
    corpora = list(next(iter(found.values()))["corpora"])
    table = Table("UAR", *corpora, "mean", "lost on the mean", "lost at worst")
    for name, row in found.items():
        cells = [*(row["corpora"].get(corpus, float("nan")) for corpus in corpora), row["mean"], row["lost"], row["worst"]]
        table.add_row(name, *(f"{cell:.3f}" for cell in cells))
    console.print(table)


def _show_changes(console: Console, found: dict[str, Any]) -> None:
    table = Table("seconds after the change", *found["uar_heard"])
    for name in ("heard", "shown"):
        table.add_row(f"UAR of what is {name}", *(f"{value:.3f}" for value in found[f"uar_{name}"].values()))
    console.print(table)
    median = found["median_seconds"]
    console.print(
        f"{found['changes']} changes; the right label is shown within 4 s in {found['arrives']:.0%}; median time to it "
        + ("none, since most never show it" if median is None else f"{median:.1f} s")
        + f", of those that show it {found['median_seconds_of_those_that_arrive'] or float('nan'):.1f} s"
    )


def _show_steady(console: Console, found: dict[str, Any]) -> None:
    rates = ", ".join(f"{name} {rate:.1f}" for name, rate in found["wrong_changes_a_minute_in"].items())
    console.print(
        f"{found['minutes']:.1f} min steady: {found['wrong_changes_a_minute']:.1f} wrong changes of label a minute ({rates})"
    )
    shares = ", ".join(f"{name} {share:.0%}" for name, share in found["shown_in_neutral_speech"].items())
    console.print(f"neutral talk is shown as: {shares} of the speaking time")


def _show_by_attack(console: Console, found: list[dict[str, Any]]) -> None:
    table = Table("expression.attack", "shown within 4 s", "median", "of those shown", "wrong changes a minute")
    for row in found:
        medians = (row["median_seconds"], row["median_seconds_of_those_that_arrive"])
        seconds = ("none" if median is None else f"{median:.2f} s" for median in medians)
        table.add_row(f"{row['attack']:g} s", f"{row['arrives']:.0%}", *seconds, f"{row['wrong_changes_a_minute']:.1f}")
    console.print(table)


def _show_no_voice(console: Console, found: dict[str, Any]) -> None:
    table = Table("no voice", "taken for speech", "confidence", *EMOTIONS)
    for name, row in found.items():
        table.add_row(
            name, f"{row['speaking']:.0%}", f"{row['confidence']:.3f}", *(f"{share:.0%}" for share in row["heard"].values())
        )
    console.print(table)


def check_plots(folder: Path) -> None:
    """Make the folder of the pictures. Raises UserError where that can't be, and without matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        raise UserError("--plots needs matplotlib; run: pip install matplotlib")
    make_folder(folder)


def plot(result: dict[str, Any], folder: Path) -> None:
    """Confusion, UAR per corpus and speaker, calibration, and UAR after a change, into a folder that `check_plots` made."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    counts = np.array(result["all"]["confusion"], float)
    occurs = [name for name, row in zip(EMOTIONS, counts, strict=True) if row.any()]
    share = counts[counts.any(1)] / counts[counts.any(1)].sum(1, keepdims=True)
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 9))
    picture = axes[0, 0]
    picture.imshow(share, vmin=0, vmax=1, cmap="Blues")
    picture.set_xticks(range(len(EMOTIONS)), EMOTIONS)
    picture.set_yticks(range(len(occurs)), occurs)
    picture.set(xlabel="heard", ylabel="intended", title="share of clips")
    for i, row in enumerate(share):
        for j, value in enumerate(row):
            picture.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.5 else "black")
    corpora = result["corpora"]
    axes[0, 1].barh(list(corpora), [found["uar"] for found in corpora.values()])
    for place, found in enumerate(corpora.values()):
        chance = 1 / np.any(found["confusion"], axis=1).sum()
        axes[0, 1].plot([chance, chance], [place - 0.4, place + 0.4], color="black", linestyle=":")
    axes[0, 1].set(xlim=(0, 1), title="unweighted average recall (dotted: chance)")
    axes[1, 0].hist(list(result["speakers"].values()), bins=np.linspace(0, 1, 21))
    axes[1, 0].set(title="unweighted average recall of each speaker", xlabel="UAR", ylabel="speakers")
    bins = [row for row in result["all"]["reliability"] if row["clips"]]
    axes[1, 1].plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes[1, 1].plot([row["confidence"] for row in bins], [row["right"] for row in bins], marker="o")
    for row in bins:
        point = (row["confidence"], row["right"])
        axes[1, 1].annotate(str(row["clips"]), point, xytext=(3, -11), textcoords="offset points", fontsize=7)
    axes[1, 1].set(title="calibration (numbers: clips)", xlim=(0, 1), ylim=(0, 1))
    axes[1, 1].set(xlabel="largest probability", ylabel="share that is right")
    figure.tight_layout()
    figure.savefig(folder / "emotion.png", dpi=110)
    pyplot.close(figure)
    if "changes" in result:
        _plot_changes(result, folder / "emotion_onset.png")


def _plot_changes(result: dict[str, Any], file: Path) -> None:
    """UAR after a change; and what a quicker or a steadier face would show, where steady talk was heard as well."""
    from matplotlib import pyplot

    arrived = [row for row in result.get("by_attack", []) if row["median_seconds"] is not None]
    figure, axes = pyplot.subplots(1, 2 if arrived else 1, figsize=(11 if arrived else 5.5, 4), squeeze=False)
    after = axes[0, 0]
    for name in ("heard", "shown"):
        curve = result["changes"][f"uar_{name}"]
        after.plot([float(t) for t in curve], list(curve.values()), marker="o", label=name)
    after.set(ylim=(0, 1), xlabel="seconds after a change of emotion", ylabel="UAR", title="time after onset")
    after.legend()
    if arrived:
        _plot_by_attack(axes[0, 1], arrived)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def _plot_by_attack(front: Any, arrived: list[dict[str, Any]]) -> None:
    """How soon against how steady, on those axes of matplotlib's."""
    points = [(row["median_seconds"], row["wrong_changes_a_minute"]) for row in arrived]
    front.plot(*zip(*points, strict=True), marker="o")
    for point, row in zip(points, arrived, strict=True):
        front.annotate(f"{row['attack']:g} s", point, xytext=(4, 4), textcoords="offset points", fontsize=8)
    front.margins(0.12)  # room for what is written beside the points
    front.update_datalim([(0, 0)])
    front.autoscale_view()
    front.set(title="by expression.attack", xlabel="median seconds to the right label", ylabel="wrong changes a minute")
    front.set_xlim(left=0)
    front.set_ylim(bottom=0)
