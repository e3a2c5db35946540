"""torch module → ONNX file with finished pixels: one graph, made once, that every other engine starts from."""

import contextlib
import functools
import hashlib
import inspect
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import torch

from models.files import cache_folder, note_use, written_beside
from models.stylegan.pixels import Pixels

INPUT: Final = "ws"
OUTPUT: Final = "pixels"
EXPORTERS: Final = ("torch", "onnx", "onnxscript", "onnx-ir")

log = logging.getLogger(__name__)


def graph_key(pixels: Pixels) -> str:
    """Names the graph (32 hex digits): its weights, its size and kind of numbers, the code that draws it, and what exports it."""
    exporters = " ".join(f"{package} {_version(package)}" for package in EXPORTERS)
    digest = hashlib.sha256(f"{pixels.size} {exporters} {pixels.generator.configuration}".encode())
    for name, tensor in sorted(pixels.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    for source in _sources(frozenset(type(module).__module__ for module in pixels.modules())):
        digest.update(source.encode())
    return digest.hexdigest()[:32]


@functools.cache
def _version(package: str) -> str:
    """Of an installed distribution; empty where it is none."""
    with contextlib.suppress(PackageNotFoundError):
        return version(package)
    return ""


@functools.cache
def _sources(modules: frozenset[str]) -> list[str]:
    """The code of ours in these modules, in what they use of their own package, and here."""
    drawing, found = [name for name in modules if name.startswith("models.")], {__name__}
    while drawing:
        if (name := drawing.pop()) not in found:
            found.add(name)
            used = {getattr(thing, "__module__", None) or "" for thing in vars(sys.modules[name]).values()}
            drawing += [other for other in used if other.startswith("models.stylegan.")]
    return [inspect.getsource(sys.modules[name]) for name in sorted(found)]


def onnx_file(pixels: Pixels) -> Path:
    """The ONNX file of `pixels`: input `ws` float32 (1, num_ws, w_dim), output `pixels` uint8 (size, size, 3).

    It is kept in the user's cache, so a second call only looks it up. Raises UserError where it can't be written.
    """
    path = cache_folder("graphs") / f"{graph_key(pixels)}.onnx"
    if path.exists():
        note_use(path)
        return path
    log.info("exporting the %d² graph once, to %s", pixels.size, path)
    example = torch.zeros(1, pixels.generator.num_ws, pixels.generator.w_dim)
    with written_beside(path) as beside, _silence():
        torch.onnx.export(
            pixels.eval(),
            (example,),
            beside,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    return path


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The exporter prints and logs hundreds of lines about its own passes."""
    loggers = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir", "torch.onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
