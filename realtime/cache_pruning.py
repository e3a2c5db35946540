"""Keeps the user's cache folder from growing for ever: what nothing has used for long is removed when a show starts.

Only what a show makes again by itself is ever removed, and never while another show runs. All else stays: the default
generator's weights and what was measured are few and small, the work of a training is its owner's to delete, and so are
`paths/HASH-SEED.safetensors`, which somebody may have searched for hours and put there.
"""

import contextlib
import logging
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from models.errors import UserError
from models.files import cache_folder

DAY: Final = 86400.0  # seconds
UNUSED: Final = 90 * DAY
"""What nothing has used for longer is removed."""
LARGEST: Final = 4 * 2**30
"""Bytes that may stay; the least recently used are removed beyond that, ..."""
RECENT: Final = 7 * DAY
"""... but nothing that was used within this time: it would be made again at the next start."""
REPLACEABLE: Final = {
    "generators": "*",
    "graphs": "*",
    "onnxruntime": "*",
    "openvino": "*",
    "paths": "*-*-*",  # HASH-SEED-networks-PROVENANCE, HASH-SEED-student-PROVENANCE, each also -predicted
    "predictors": "*",
    "tensorrt": "*",
    "torch": "*",
}
"""Folders in the cache, and which files and folders in them are made again by themselves."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """A file, or a folder that is one thing: its size in bytes, and when it was last used, in seconds since 1970."""

    path: Path
    size: int
    used: float


@contextlib.contextmanager
def cache_in_use() -> Iterator[None]:
    """Prune the user's cache, unless another show uses it; until the end of the block no other show prunes it either.

    Whatever goes wrong with that is no reason not to play.
    """
    with contextlib.ExitStack() as held:
        try:
            lock = held.enter_context((cache_folder() / "in_use").open("a+b"))
            if _alone(lock):
                prune(cache_folder(), time.time())
            _share(lock)
        except (OSError, UserError) as error:
            log.debug("the cache is not pruned: %s", error)
        yield


def prune(root: Path, now: float) -> None:
    """Remove from the cache `root` what is `outdated`, as far as that can be done."""
    for kept in outdated(_replaceable(root), now):
        log.debug("%s is removed from the cache (%.0f MiB), unused for long", kept.path, kept.size / 2**20)
        if kept.path.is_dir():
            shutil.rmtree(kept.path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                kept.path.unlink()


def outdated(cache: Iterable[Kept], now: float) -> list[Kept]:
    """What was not used for `UNUSED`, and what makes all together larger than `LARGEST`; the least recently used first."""
    by_use = sorted(cache, key=lambda kept: kept.used)
    size = sum(kept.size for kept in by_use)
    gone = []
    for kept in by_use:
        age = now - kept.used
        if age <= (RECENT if size > LARGEST else UNUSED):
            break
        gone.append(kept)
        size -= kept.size
    return gone


def _replaceable(root: Path) -> Iterator[Kept]:
    """Links are no part of it, nor is what they lead to."""
    for name, pattern in REPLACEABLE.items():
        if (root / name).is_symlink():
            continue
        for path in (root / name).glob(pattern):
            with contextlib.suppress(OSError):  # gone meanwhile
                if not path.is_symlink():
                    yield _kept(path)


def _kept(path: Path) -> Kept:
    """Used when it last changed, as `models.files.note_use` makes it: who reads a file may be a backup, or leave no trace."""
    states = [path.lstat(), *(inner.lstat() for inner in (path.rglob("*") if path.is_dir() else ()))]
    return Kept(path, sum(state.st_size for state in states), max(state.st_mtime for state in states))


def _alone(lock: BinaryIO) -> bool:
    """Whether no other show uses the cache; if so, another one that starts waits until `_share`."""
    if sys.platform == "win32":
        return True  # what another show has open can't be removed there
    import fcntl

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _share(lock: BinaryIO) -> None:
    """Hold the cache, beside other shows, until `lock` is closed. Where a process ends in any way the system closes it."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_SH)
