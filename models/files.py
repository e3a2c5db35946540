"""Files that are made once on a user's machine: where they lie, and how they appear whole or not at all."""

import contextlib
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs
from safetensors import SafetensorError

from models.errors import UserError


def cache_folder(name: str = "") -> Path:
    """The folder `name` in the user's cache, made if need be. Raises UserError where that can't be."""
    path = Path(platformdirs.user_cache_dir("speech2expression")) / name
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"the folder {path} can't be made ({error.strerror}); set XDG_CACHE_HOME to one that can") from error
    return path


def note_use(path: Path) -> None:
    """A file or folder of the user's cache is used now: what nothing uses for long is removed (`realtime/cache_pruning.py`).

    Where that can't be noted, or nothing is there, nothing happens.
    """
    with contextlib.suppress(OSError):
        os.utime(path)


def make_folder(path: Path) -> None:
    """Make the folder if need be, before work of hours finds that it can't be. Raises UserError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    if not os.access(path, os.W_OK):
        raise UserError(f"nothing can be written into {path}; name another place")


def check_place(file: Path, what: str) -> None:
    """Raises UserError if `file`, `what` it is, can't be made, before a show of hours finds out."""
    if not file.parent.is_dir():
        raise UserError(f"{what} {file}: the folder {file.parent} does not exist; make it or name another")
    if file.is_dir():
        raise UserError(f"{what} {file} can't be written (it is a folder); name a file")
    if not os.access(file.parent, os.W_OK):
        raise UserError(f"{what} {file} can't be written; name a file in a folder you may write to")


def make_place(file: Path | None, what: str) -> None:
    """As `check_place`, the folder made if need be; nothing where no file is wanted."""
    if file is not None:
        make_folder(file.parent)
        check_place(file, what)


@contextlib.contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """A file to write to, which becomes `path` when the block ends well, and vanishes when it does not."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        os.close(handle)
        beside = Path(name)
        try:
            yield beside
            beside.chmod(0o644)  # a temporary file is private; what becomes of it need not be
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:  # safetensors says in its own words that the disk is full
        raise _unwritable(path, error) from error


@contextlib.contextmanager
def folder_written_beside(path: Path) -> Iterator[Path]:
    """A folder to write to, which becomes `path` when the block ends well, and vanishes when it does not.

    `path` must not be there yet, or be empty. Raises UserError.
    """
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UserError(f"{path} is there already; name another folder, or delete it first")
        made = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=path.parent, prefix=path.name))
        try:
            yield beside
            beside.chmod(0o755)
            if path.exists():
                path.rmdir()
            beside.replace(path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
            with contextlib.suppress(OSError):  # the first that is not empty: it became the path's, or somebody else's
                for folder in made:
                    folder.rmdir()
    except (OSError, SafetensorError) as error:  # safetensors says in its own words that the disk is full
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: Exception) -> UserError:
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())
    return UserError(f"{path} can't be written ({reason}); make room there, or name another place")


def sha256_of(path: Path) -> str:
    """64 hex digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_once(path: Path) -> str:
    """As `sha256_of`; a file is read again only after it has changed. Raises OSError."""
    return _sha256(path, path.stat().st_mtime_ns)


@functools.cache
def _sha256(path: Path, _changed: int) -> str:
    return sha256_of(path)
