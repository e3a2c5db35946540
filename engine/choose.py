"""Chooses what to draw with on this machine: what is asked for, or whatever draws fastest here."""

import contextlib
import logging
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import numpy as np
import torch

from engine import cache
from engine.backend import BACKENDS, Backend, register_backend
from engine.export import graph_key
from models.errors import UserError
from models.stylegan.generator import Generator
from models.stylegan.pixels import QUALITIES, Pixels, Quality, quality_of

TIMED_FRAMES: Final = 8
TIMED_SECONDS: Final = 3.0  # a slow backend needs no more frames to lose
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
    subject = f"quality_{size}"
    key = {"graph": graph_key(Pixels(generator, size, "fine").eval()), "backend": backend, **_parts()}
    known: Quality | None = cache.recall(subject, key)
    if known in QUALITIES:
        return known
    with open_backend(generator, size, backend, "fine") as fine:
        took = milliseconds(fine)
    quality: Quality = "fast" if took > LIVE_MILLISECONDS else "fine"
    if quality == "fast":
        log.info("a fine %d² takes %.0f ms here, so fast ones are drawn; --quality fine draws it all the same", size, took)
    cache.remember(subject, key, quality)
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


def _fastest(pixels: Pixels) -> Backend:
    subject = f"backend_{pixels.size}_{pixels.quality}"
    key = {"graph": graph_key(pixels), **_parts()}
    known = cache.recall(subject, key)
    if known in BACKENDS:
        try:
            opened = _opened(known, pixels)
            log.info("drawing %d² with %s: the fastest when it was measured here", pixels.size, opened.description)
            return opened
        except UserError as error:
            log.warning("%s was the fastest here, but can't be opened any more (%s); measuring again", known, error)
    times: dict[str, float] = {}
    failures: dict[str, str] = {}
    for name in BACKENDS:
        try:
            with _opened(name, pixels) as candidate:
                times[name] = milliseconds(candidate)
        except (UserError, RuntimeError) as error:
            failures[name] = str(error)
    for best in sorted(times, key=times.__getitem__):
        try:
            opened = _opened(best, pixels)
        except UserError as error:  # it has drawn, but the device need not be as it was then
            failures[best] = str(error)
            del times[best]
            continue
        table = ", ".join(f"{name} {ms:.0f} ms" for name, ms in sorted(times.items(), key=lambda item: item[1]))
        log.info("drawing %d² with %s: the fastest here (%s)", pixels.size, opened.description, table)
        if failures:
            log.info("not to be had here: %s", _told(failures))
        cache.remember(subject, key, best)
        return opened
    raise UserError(f"nothing on this machine can draw: {_told(failures)}")


def _told(failures: dict[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in failures.items())


def milliseconds(backend: Backend) -> float:
    """The median time of one picture."""
    ws = np.zeros((1, backend.num_ws, backend.w_dim), np.float32)
    backend.warm_up()
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < TIMED_FRAMES and time.perf_counter() - begin < TIMED_SECONDS:
        start = time.perf_counter()
        backend.render(ws)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def _parts() -> dict[str, str]:
    """What this machine could draw with: when one of these comes or goes, it is worth measuring again."""
    parts = {"processor": cache.processor_key(), "gpu": str(Path("/dev/nvidia0").exists() or torch.cuda.is_available())}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            parts[package] = version(package)
    return parts
