"""What this machine has worked out once and need not work out again: built graphs as files, measurements as small notes."""

import json
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs

from models.errors import UserError


def folder(name: str = "") -> Path:
    """The folder `name` in the user's cache, made if need be. Raises UserError where that can't be."""
    path = Path(platformdirs.user_cache_dir("speech2expression")) / name
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"the folder {path} can't be made ({error.strerror}); set XDG_CACHE_HOME to one that can") from error
    return path


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """A file to write to, which becomes `path` when the block ends well, and vanishes when it does not."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        os.close(handle)
        beside = Path(name)
        try:
            yield beside
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path} can't be written ({error.strerror}); make room there, or set XDG_CACHE_HOME") from error


def processor() -> str:
    """Names this machine's processor and how many of its cores this process may use."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass  # not Linux, or an architecture that names no model: the architecture has to do
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores"


def recall(subject: str, key: dict[str, Any]) -> Any:
    """What `remember` noted about `subject` under exactly this key, or None."""
    try:
        note = json.loads(_note(subject).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return note["value"] if isinstance(note, dict) and note.get("key") == key else None


def remember(subject: str, key: dict[str, Any], value: Any) -> None:
    """Note `value` (anything JSON can hold) about `subject`; a note under another key is replaced."""
    with written_beside(_note(subject)) as beside:
        beside.write_text(json.dumps({"key": key, "value": value}, indent=1), encoding="utf-8")


def _note(subject: str) -> Path:
    return folder("measured") / f"{subject}.json"
