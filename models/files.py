"""Files that are made once on a user's machine: where they lie, and how they appear whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from models.errors import UserError


def cache_folder(name: str = "") -> Path:
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
            beside.chmod(0o644)  # a temporary file is private; what becomes of it need not be
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path} can't be written ({error.strerror}); make room there, or name another place") from error
