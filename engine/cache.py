"""What was measured or compiled once on this machine and need not be again: small notes, and folders for compilers to fill."""

import hashlib
import json
import logging
import os
import platform
from pathlib import Path
from typing import Any

from models.errors import UserError
from models.files import cache_folder, note_use, written_beside

log = logging.getLogger(__name__)


def processor() -> str:
    """Names this machine's processor and how many of its cores this process may use."""
    # Where Linux names no model, or it is not Linux, the architecture has to do.
    model = _cpuinfo("model name") or platform.processor() or platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores"


def processor_key() -> str:
    """Changes with the processor, also where a virtual machine gives different ones the same name."""
    flags = _cpuinfo("flags") or _cpuinfo("Features")  # x86, ARM
    return f"{processor()}, {hashlib.sha256(flags.encode()).hexdigest()[:8]}"


def _cpuinfo(field: str) -> str:
    """What Linux says of the first core; empty where nothing is said."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == field), "")


def recall(subject: str, key: dict[str, Any]) -> Any:
    """What `remember` noted about `subject` under exactly this key, or None."""
    try:
        note = json.loads(_note(subject).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return note.get("value") if isinstance(note, dict) and note.get("key") == key else None


def remember(subject: str, key: dict[str, Any], value: Any) -> None:
    """Note `value` (anything JSON can hold) about `subject`; a note under another key is replaced.

    Where it can't be written, a line says so: a show can do without.
    """
    try:
        with written_beside(_note(subject)) as beside:
            beside.write_text(json.dumps({"key": key, "value": value}, indent=1), encoding="utf-8")
    except UserError as error:
        log.warning("what was measured is not kept: %s", error)


def compiled_folder(library: str, version: str, what: str) -> Path:
    """Where `library` keeps what it compiled of `what`: a folder of its own, for its files have names that only it can read.

    Used now, so that it stays as long as `what` is drawn with this version. Raises UserError where it can't be made.
    """
    folder = cache_folder(f"{library}/{what}_{version}")
    note_use(folder)
    return folder


def _note(subject: str) -> Path:
    return cache_folder("measured") / f"{subject}.json"
