"""A face's expressions as paths in W+: what the show interpolates per frame, and the file they live in.

A path starts at the face's own neutral code and is kept as offsets from it, so rest is no movement: the neutral emotion is zeros.
Between knots it is linear (Han et al., IJCAI 2021, walk instance-specific directions step by step; the knots are those steps).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.errors import UserError
from models.files import make_folder, written_beside
from models.labels import EMOTIONS

Floats = NDArray[np.float32]

STRONGEST: Final = 1.5  # times the full expression: beyond this the last piece of a path is not followed any further
FORMAT: Final = "speech2expression paths 1"


@dataclass(frozen=True)
class ExpressionPaths:
    """One face: its neutral code, five paths, and the controls of the fast lane.

    neutral          (num_ws, 512): the face at rest
    paths            (5, knots, num_ws, 512): offsets from neutral in the order of `EMOTIONS`; knot k stands for strength
                     (k + 1) / knots, strength 0 is no offset
    rig              name → (num_ws, 512): the offset of a control at 1; `mouth_open` and `blink` are always there
    generator_hash   `graph_hash` of the generator that the codes belong to
    name             the face's name, such as `seed:1000`
    """

    neutral: Floats
    paths: Floats
    rig: Mapping[str, Floats]
    generator_hash: str
    name: str
    _starts: Floats = field(init=False, repr=False, compare=False)
    _pieces: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        num_ws, width = self.neutral.shape
        shape = self.paths.shape
        if len(shape) != 4 or shape[0] != len(EMOTIONS) or shape[1] < 1 or shape[2:] != (num_ws, width):
            raise ValueError(f"paths of shape ({len(EMOTIONS)}, 1 or more, {num_ws}, {width}) expected, got {shape}")
        for name, offset in self.rig.items():
            if offset.shape != (num_ws, width):
                raise ValueError(f"the rig's '{name}' should have shape ({num_ws}, {width}), got {offset.shape}")
        starts = np.concatenate([np.zeros_like(self.paths[:, :1]), self.paths[:, :-1]], axis=1)
        object.__setattr__(self, "_starts", starts)
        object.__setattr__(self, "_pieces", self.paths - starts)

    @property
    def knots(self) -> int:
        return int(self.paths.shape[1])

    def blend(self, weights: NDArray[np.floating], strength: float = 1.0, rig: Mapping[str, float] | None = None) -> Floats:
        """(1, num_ws, 512): the code of a mixture of emotions with the rig's controls on top.

        weights    (5,) in the order of `EMOTIONS`, each 0…1: how far along its path an emotion is; several at once add up
        strength   multiplies the weights; a path is followed up to `STRONGEST`, past its last knot straight on
        rig        control → value (mouth_open, blink 0…1; yaw, pitch −1…1); controls that this face lacks are left out
        """
        ws = self.neutral.copy()
        for emotion, weight in enumerate(weights):
            amount = min(float(weight) * strength, STRONGEST)
            if amount <= 0:
                continue
            place = amount * self.knots
            knot = min(int(place), self.knots - 1)
            if knot:
                ws += self._starts[emotion, knot]
            ws += np.float32(place - knot) * self._pieces[emotion, knot]
        for name, value in (rig or {}).items():
            if value and name in self.rig:
                ws += np.float32(value) * self.rig[name]
        return ws[None]


def led(path: Floats, step: Floats) -> Floats:
    """A path (knots, num_ws, w_dim) whose end is `step` (num_ws, w_dim) farther; knots before share in it by their length."""
    lengths = np.linalg.norm(path, axis=(1, 2))
    moved: Floats = path + (lengths / lengths[-1]).astype(np.float32)[:, None, None] * step
    return moved


def save_paths(path: Path, faces: Mapping[str, ExpressionPaths]) -> None:
    """Write faces of one generator into one safetensors file (float16; only the rows that move), beside it first, then renamed.

    Raises `UserError` where the place can't be written.
    """
    hashes = {face.generator_hash for face in faces.values()}
    if len(hashes) != 1:
        raise ValueError(f"faces of one generator expected, got {len(hashes)}")
    tensors: dict[str, NDArray[np.float16]] = {}
    rows: dict[str, list[int]] = {}
    for key, face in faces.items():
        moved = np.flatnonzero(np.any([offset.any(axis=-1) for offset in _offsets(face)], axis=0))
        first, end = (int(moved[0]), int(moved[-1]) + 1) if moved.size else (0, 1)
        rows[key] = [first, end]
        tensors[f"{key}/neutral"] = np.ascontiguousarray(face.neutral, np.float16)
        tensors[f"{key}/paths"] = np.ascontiguousarray(face.paths[:, :, first:end], np.float16)
        for name, offset in face.rig.items():
            tensors[f"{key}/rig/{name}"] = np.ascontiguousarray(offset[first:end], np.float16)
    metadata = {"format": FORMAT, "generator": hashes.pop(), "rows": json.dumps(rows)}
    write_tensors(path, tensors, metadata)


def load_paths(path: Path, generator_hash: str | None = None) -> dict[str, ExpressionPaths]:
    """The faces in a file, by name, float32. With `generator_hash` they must belong to that generator.

    Raises `UserError` where the file is missing, no file of paths, damaged, or made for another generator.
    """
    tensors, metadata = read_tensors(path, FORMAT, generator_hash)
    try:
        return {key: _face(key, tensors, rows, metadata["generator"]) for key, rows in json.loads(metadata["rows"]).items()}
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"the paths in {path} are damaged ({reason}): make them again with python -m tools.search_directions"
        ) from error


def write_tensors(path: Path, tensors: Mapping[str, NDArray[np.floating]], metadata: Mapping[str, str]) -> None:
    """A safetensors file with the order of emotions in it, written beside `path` and renamed. Raises `UserError`."""
    make_folder(path.parent)
    with written_beside(path) as beside:
        save_file(dict(tensors), beside, metadata={**metadata, "emotions": " ".join(EMOTIONS)})


def read_tensors(
    path: Path, file_format: str, generator_hash: str | None, *needed: str, tool: str = "search_directions"
) -> tuple[dict[str, NDArray[np.floating]], dict[str, str]]:
    """Tensors and metadata of a file of `file_format` that `tool` makes, for `generator_hash` if given, with at least `needed`.

    Raises `UserError`.
    """
    again = f"make it with python -m tools.{tool}"
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
    except (OSError, SafetensorError, TypeError, ValueError) as error:  # the last two: kinds of numbers that numpy lacks
        raise UserError(f"a file of '{file_format}' was expected at {path} ({' '.join(str(error).split())}): {again}") from error
    if metadata.get("format") != file_format or metadata.get("emotions") != " ".join(EMOTIONS):
        found = metadata.get("format", "something else")
        raise UserError(f"{path} should hold '{file_format}' of {', '.join(EMOTIONS)}; it holds '{found}': {again}")
    if generator_hash is not None and metadata.get("generator") != generator_hash:
        theirs = metadata.get("generator", "none")
        raise UserError(f"{path} belongs to the generator {theirs[:12]}…, the one in use is {generator_hash[:12]}…: {again}")
    if "generator" not in metadata or not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise UserError(f"{path} is damaged, it holds something else than finite numbers of one generator: {again}")
    if missing := [name for name in needed if name not in tensors]:
        raise UserError(f"{path} is damaged, {missing[0]} is missing: {again}")
    return tensors, metadata


def _offsets(face: ExpressionPaths) -> list[Floats]:
    return [*face.paths.reshape(-1, *face.neutral.shape), *face.rig.values()]


def _face(key: str, tensors: Mapping[str, NDArray[np.float16]], rows: list[int], generator_hash: str) -> ExpressionPaths:
    neutral = tensors[f"{key}/neutral"].astype(np.float32)

    def all_rows(stored: NDArray[np.float16]) -> Floats:
        offset = np.zeros((*stored.shape[:-2], *neutral.shape), np.float32)
        offset[..., rows[0] : rows[1], :] = stored
        return offset

    prefix = f"{key}/rig/"
    rig = {name.removeprefix(prefix): all_rows(value) for name, value in tensors.items() if name.startswith(prefix)}
    return ExpressionPaths(neutral, all_rows(tensors[f"{key}/paths"]), rig, generator_hash, key)
