"""A voice drives a face, live: one settings tree → one show → run it.

python run_live.py --audio mic --osc 127.0.0.1:9000
python run_live.py --audio speech.wav --offline --video face.mp4
"""

import contextlib
import logging
import os
import platform
import sys

from models.errors import exit_on_user_error


@exit_on_user_error
def main(argv: list[str] | None = None) -> int:
    """The command `speech2expression`; returns the exit code."""
    # Imported here: Ctrl-C ends the program without a word from the first moment on, and --help does not wait for torch.
    from models.files import check_place
    from realtime.settings import load

    settings, other = load(sys.argv[1:] if argv is None else argv)
    if other.list_devices:
        list_devices()
        return 0
    log_to_stderr(settings.run.log_level.upper())
    if settings.run.stats:
        check_place(settings.run.stats, "statistics file")

    from realtime.build import play
    from realtime.stats import write_json

    report = play(settings)
    if settings.run.stats:
        write_json(settings.run.stats, {"machine": machine(), **report})
        logging.info("statistics written to %s", settings.run.stats)
    return 0


def log_to_stderr(level: str) -> None:
    """So that it is seen also while `realtime.sound.portaudio.quiet_stderr` holds back what C libraries write there."""
    from rich.console import Console
    from rich.logging import RichHandler

    stream = sys.stderr
    with contextlib.suppress(OSError, ValueError):  # no file, as where a test captures it
        stream = os.fdopen(os.dup(sys.stderr.fileno()), "w", 1, sys.stderr.encoding, "backslashreplace")
    rich = RichHandler(console=Console(file=stream), show_path=False, log_time_format="%X")
    handler = rich if stream.isatty() else logging.StreamHandler(stream)
    logging.basicConfig(level=level, format="%(message)s", handlers=[handler])


def list_devices() -> None:
    """Print the sound devices that can record; the default one is marked."""
    from rich.console import Console
    from rich.table import Table

    from realtime.sound.portaudio import input_devices, open_portaudio

    audio = open_portaudio()
    table = Table("number", "name", "host", "channels", "rate", "")
    for device in input_devices(audio):
        default = "default" if device.is_default else ""
        table.add_row(str(device.index), device.name, device.host, str(device.channels), f"{device.rate} Hz", default)
    audio.terminate()
    Console().print(table if table.row_count else "no sound device that records")


def machine() -> dict[str, str]:
    """What the figures of a report belong to."""
    return {
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
