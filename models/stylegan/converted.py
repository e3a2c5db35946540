"""Converted generators: a folder of safetensors and a manifest, made once from a stranger's checkpoint, loaded ever after."""

import json
import logging
import math
import shutil
from pathlib import Path
from typing import Any, Final

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from models.errors import UserError
from models.files import cache_folder, folder_written_beside, note_use, sha256_of
from models.stylegan.checkpoint import W_AVG, Checkpoint, Config, build, of_class, read_checkpoint, shapes
from models.stylegan.foreign_pickle import Refused
from models.stylegan.generator import Generator
from models.stylegan.stylegan2 import StyleGan2
from models.stylegan.stylegan3 import StyleGan3, StyleGan3Config

FORMAT: Final = "speech2expression generator 1"
MANIFEST: Final = "manifest.json"
WEIGHTS: Final = "generator.safetensors"
LARGEST_MANIFEST: Final = 2**20  # bytes
LARGEST_HEADER: Final = 2**20  # bytes that name the tensors

log = logging.getLogger(__name__)


def load_generator(path: Path, label: int | None = None) -> Generator:
    """The generator of a converted folder, or of a checkpoint file, which is converted once into the user's cache.

    `label` is the class that a conditional generator draws; of a folder, instead of the one that it was converted for. Raises
    `UserError` with one line for whatever is wrong.
    """
    if path.is_dir():
        generator = load_folder(path)
        try:
            return generator if label is None else of_class(generator, label)
        except Refused as error:
            raise UserError(f"the generator in {path} can't be drawn so: {error}; {error.advice}") from error
    if not path.is_file():
        raise UserError(f"the generator {path} is neither a file nor a folder; name a .pkl, a .pt or a converted folder")
    try:
        source = sha256_of(path)
    except OSError as error:
        raise UserError(
            f"the generator {path} can't be read ({error.strerror}); name a .pkl, a .pt or a converted folder"
        ) from error
    folder = cache_folder("generators") / (source[:32] + ("" if label is None else f"-{label}"))
    if folder.exists():
        note_use(folder)
        try:
            return load_folder(folder)
        except UserError as error:
            log.warning("%s; converting anew", error)
            shutil.rmtree(folder, ignore_errors=True)
    log.info("converting %s once, to %s", path, folder)
    convert(path, folder, label)
    return load_folder(folder)


def convert(path: Path, folder: Path, label: int | None = None) -> dict[str, Any]:
    """Read the checkpoint `path` and write `folder`, whole or not at all; returns the manifest. Raises `UserError`."""
    with folder_written_beside(folder) as beside:
        checkpoint = read_checkpoint(path, label)
        manifest = _manifest(checkpoint, path)
        save_file(checkpoint.tensors, beside / WEIGHTS, metadata={"format": FORMAT})
        (beside / WEIGHTS).chmod(0o644)
        (beside / MANIFEST).write_text(json.dumps(manifest, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return manifest


def load_folder(folder: Path) -> StyleGan2 | StyleGan3:
    """The generator that `convert` wrote. Raises `UserError` where the folder is none, or damaged."""
    again = "make it again with python -m tools.convert_checkpoint"
    try:
        manifest = json.loads(_content(folder / MANIFEST, LARGEST_MANIFEST))
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise Refused(f"its {MANIFEST} is not that of '{FORMAT}'")
        config: Config = TypeAdapter(Config).validate_json(json.dumps(manifest.get("config")))
        expected = shapes(config)
        largest = LARGEST_HEADER + sum(4 * math.prod(shape) for shape in expected.values())
        tensors = load(_content(folder / WEIGHTS, largest))  # not mapped: what happens to the file later is no matter
        _check_shapes(tensors, expected)
        generator = build(config, tensors)
        if generator.graph_hash != manifest.get("graph_hash"):
            raise Refused("its weights are not those that were written")
    except (ValueError, ValidationError, RecursionError) as error:
        raise UserError(f"the generator in {folder} is damaged ({' '.join(str(error).split())[:200]}); {again}") from error
    except (OSError, SafetensorError, Refused) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"the folder {folder} holds no converted generator ({reason}); {again}") from error
    return generator


def _content(file: Path, most: int) -> bytes:
    """Of a plain file: a pipe would be waited for. Raises `Refused` for any other, or one of more bytes than it can have."""
    if not file.is_file():
        raise Refused(f"there is no file {file.name} in it")
    if file.stat().st_size > most:
        raise Refused(f"its {file.name} is larger than {most} bytes")
    return file.read_bytes()


def _check_shapes(tensors: dict[str, Tensor], expected: dict[str, tuple[int, ...]]) -> None:
    for name in expected.keys() | tensors.keys():
        found = tuple(tensors[name].shape) if name in tensors else None
        if found != expected.get(name) or tensors[name].dtype != torch.float32:
            raise Refused(f"the tensor {name} should have the shape {expected.get(name)} in float32, got {found}")


def _manifest(checkpoint: Checkpoint, path: Path) -> dict[str, Any]:
    config, w_avg = checkpoint.config, checkpoint.tensors[W_AVG]
    generator = build(config, checkpoint.tensors)
    architecture: str = config.architecture
    if isinstance(config, StyleGan3Config):
        architecture += "-r" if config.use_radial_filters else "-t"
    return {
        "format": FORMAT,
        "architecture": architecture,
        "resolution": config.resolution,
        "z_dim": config.z_dim,
        "c_dim": config.c_dim,
        "w_dim": config.w_dim,
        "num_ws": generator.num_ws,
        "graph_hash": generator.graph_hash,
        "source": {"name": path.name, "sha256": sha256_of(path)},
        "licence": checkpoint.licence,
        "config": config.model_dump(),
        "w_avg": w_avg.tolist(),
    }
