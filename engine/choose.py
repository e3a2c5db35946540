"""Chooses what to draw with on this machine: what is asked for, or whatever draws fastest here."""

import contextlib
import functools
import logging
import time
from collections.abc import Collection, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, NamedTuple, cast

import numpy as np
import torch

from engine import cache
from engine.backend import BACKENDS, Backend, register_backend
from engine.export import graph_key
from engine.nvidia import gpus_at_start
from models.errors import UserError
from models.stylegan.generator import Generator
from models.stylegan.pixels import QUALITIES, Pixels, Quality, quality_of

TIMED_FRAMES: Final = 8
TIMED_SECONDS: Final = 3.0  # a slow backend needs no more frames to lose
QUICKLY_REFUSED: Final = 5.0  # seconds: whether what refused so soon opens by now is asked at every start
LIVE_MILLISECONDS: Final = 50.0
"""What a fine picture may take, measured alone; in a show, beside hearing and showing, it takes up to half as long again."""
PACKAGES: Final = (
    *("openvino", "torch", "tensorrt", "tensorrt-rtx-cu13-bindings", "cuda-bindings"),
    *("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-ep-nv-tensorrt-rtx-cu13"),
)
"""Distributions that bring a way of drawing, or take part in one."""

log = logging.getLogger(__name__)


def _open_tensorrt(pixels: Pixels) -> Backend:
    from engine.tensorrt import open_tensorrt

    return open_tensorrt(pixels)


def _open_openvino(pixels: Pixels) -> Backend:
    from engine.openvino import open_openvino

    return open_openvino(pixels)


def _open_onnxruntime(pixels: Pixels) -> Backend:
    from engine.onnxruntime import open_onnxruntime

    return open_onnxruntime(pixels)


def _open_torch(pixels: Pixels) -> Backend:
    from engine.pytorch import open_torch

    return open_torch(pixels)


register_backend("tensorrt", _open_tensorrt)
register_backend("openvino", _open_openvino)
register_backend("onnxruntime", _open_onnxruntime)
register_backend("torch", _open_torch)


def open_backend(generator: Generator, size: int, backend: str = "auto", quality: Quality = "fine") -> Backend:
    """Ready to draw pictures `size` pixels wide, one of `generator.sizes`, in that quality (see `Pixels`).

    `backend` is a name in `engine.backend.BACKENDS`, or `auto`: each one that opens here is timed once, the fastest is taken
    and remembered until the machine or the graph changes. Raises UserError for an unknown name or size, for a named backend
    that can't be opened, whatever its library says to that, and, with all their reasons, if none can.
    """
    pixels = Pixels(generator, size, quality).eval()
    if backend == "auto":
        return _fastest(pixels)
    if backend not in BACKENDS:
        raise UserError(f"the backend {backend} does not exist; choose auto or one of {', '.join(BACKENDS)}")
    opened = _opened(backend, pixels)
    log.info("drawing %d² with %s, as asked", size, opened.description)
    return opened


def live_quality(generator: Generator, size: int, backend: str = "auto") -> Quality:
    """How to draw live where nobody says: fine, or fast where this machine takes more than `LIVE_MILLISECONDS` for that.

    Measured once, like the backend. Raises UserError as `open_backend`.
    """
    if quality_of(generator, size, "fast") != "fast":
        return "fine"
    subject, pixels = f"quality_{size}", Pixels(generator, size, "fine").eval()
    key = _key(pixels)
    own_key = {**key, "backend": backend}
    known = _recalled(subject, own_key, QUALITIES)
    if known and not _opens_by_now(known.refused, pixels):
        return cast("Quality", known.best)
    with open_backend(generator, size, backend, "fine") as fine:
        took = milliseconds(fine)
    quality: Quality = "fast" if took > LIVE_MILLISECONDS else "fine"
    if quality == "fast":
        log.info("a fine %d² takes %.0f ms here, so fast ones are drawn; --quality fine draws it all the same", size, took)
    chosen = _recalled(_subject(pixels), key, BACKENDS) if backend == "auto" else None
    cache.remember(subject, own_key, Measured(quality, chosen.refused if chosen else [])._asdict())
    return quality


def _opened(name: str, pixels: Pixels) -> Backend:
    """Raises UserError where that can't be, whatever goes wrong: drivers and libraries of any version have a part in it."""
    try:
        return BACKENDS[name](pixels)
    except UserError:
        raise
    except Exception as error:
        log.debug("opening the backend %s", name, exc_info=True)
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(f"the backend {name} can't be opened here ({reason}); choose another --backend, or auto") from error


class Measured(NamedTuple):
    """What was best here, and the backends that soon refused to open then: a GPU that is full today need not be so tomorrow."""

    best: str
    refused: list[str]


def _recalled(subject: str, key: dict[str, Any], known: Collection[str]) -> Measured | None:
    """What was noted, if its best is one of those `known`: the note may be another version's, or damaged."""
    note = cache.recall(subject, key)
    match note:
        case {"best": str(best), "refused": list(refused)} if best in known:
            return Measured(best, [name for name in refused if isinstance(name, str)])
    return None


def _opens_by_now(refused: Sequence[str], pixels: Pixels) -> bool:
    """Whether one of the backends that refused can be opened."""
    for name in refused:
        with contextlib.suppress(UserError):
            if name in BACKENDS:
                _opened(name, pixels).close()
                log.info("%s could not be opened when it was measured here, and can be now; measuring again", name)
                return True
    return False


def _fastest(pixels: Pixels) -> Backend:
    key = _key(pixels)
    known = _recalled(_subject(pixels), key, BACKENDS)
    if known and not _opens_by_now(known.refused, pixels):
        try:
            opened = _opened(known.best, pixels)
            log.info("drawing %d² with %s: the fastest when it was measured here", pixels.size, opened.description)
            return opened
        except UserError as error:
            log.warning("%s was the fastest here, but can't be opened any more (%s); measuring again", known.best, error)
    times: dict[str, float] = {}
    failures: dict[str, str] = {}
    refused: list[str] = []
    for name in BACKENDS:
        begin = time.perf_counter()
        try:
            candidate = _opened(name, pixels)
        except UserError as error:
            failures[name] = str(error)
            if time.perf_counter() - begin < QUICKLY_REFUSED:
                refused.append(name)
            continue
        try:
            with candidate:
                times[name] = milliseconds(candidate)
        except (UserError, RuntimeError) as error:
            failures[name] = str(error)
    for best in sorted(times, key=times.__getitem__):
        try:
            opened = _opened(best, pixels)
        except UserError as error:  # it has drawn, but the device need not be as it was then
            failures[best] = str(error)
            refused.append(best)
            del times[best]
            continue
        table = ", ".join(f"{name} {ms:.0f} ms" for name, ms in sorted(times.items(), key=lambda item: item[1]))
        log.info("drawing %d² with %s: the fastest here (%s)", pixels.size, opened.description, table)
        if failures:
            log.info("not to be had here: %s", _told(failures))
        cache.remember(_subject(pixels), key, Measured(best, refused)._asdict())
        return opened
    raise UserError(f"nothing on this machine can draw: {_told(failures)}")


def _subject(pixels: Pixels) -> str:
    return f"backend_{pixels.size}_{pixels.quality}"


def _key(pixels: Pixels) -> dict[str, Any]:
    return {"graph": graph_key(pixels), **_parts()}


def _told(failures: dict[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in failures.items())


def milliseconds(backend: Backend) -> float:
    """The least time of one picture: whatever else the machine does meanwhile only adds to it, and the choice is kept."""
    ws = np.zeros((1, backend.num_ws, backend.w_dim), np.float32)
    backend.warm_up()
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < TIMED_FRAMES and time.perf_counter() - begin < TIMED_SECONDS:
        start = time.perf_counter()
        backend.render(ws)
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


@functools.cache
def _parts() -> dict[str, str]:
    """What this machine could draw with: when one of these comes, goes or changes, it is worth measuring again."""
    parts = {"processor": cache.processor_key(), "gpu": _gpu()}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            parts[package] = version(package)
    return parts


def _gpu() -> str:
    """All NVIDIA GPUs with capability and driver; whatever else torch can draw with."""
    try:
        found = ", ".join(f"{gpu.name} {gpu.capability} {gpu.driver}" for gpu in gpus_at_start())
    except UserError:
        found = "does not answer"
    return found or str(torch.cuda.is_available())
