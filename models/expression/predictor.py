"""Predicts a face's neutral code and expressions from its code alone, at once: instance-aware search, amortised.

What an instance search finds for one face by gradients, a linear map learns for all (`tools/train_predictor.py`, with the same
objective through the same generator): `offset(w) = matrix · features(w)`. The features are a one, how much the face smiles, and
the code's leading principal components at unit variance.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import UserError
from models.expression.directions import Directions
from models.expression.goals import EMOTION_GOALS, SEARCHED, SHARED
from models.expression.paths import ExpressionPaths, read_tensors, write_tensors
from models.expression.rows import FIRST
from models.labels import EMOTIONS

KNOTS: Final = 3  # strengths 1/3, 2/3 and 1: slight, clear, full
SMILES: Final = 4.0  # log-odds of happy that count as one in the features
FORMAT: Final = "speech2expression predictor 1"
NEUTRAL_STEP: Final = "neutral"
PREDICTED: Final = (NEUTRAL_STEP, *EMOTION_GOALS, *SEARCHED)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PathPredictor:
    """A trained predictor of one generator's faces.

    mean        (512,) of the codes
    components  (p, 512): the code's principal components, each divided by its standard deviation
    smile       (513,): weights and constant that give the log-odds of a smile from w
    matrices    name of `PREDICTED` → (rows, 512, 2 + p): features to offset, of the rows that shape a face (`rows.py`)
    places      emotion → (knots,): where on the way to the full expression each knot lies, 0…1, rising, the last one 1
    controls    name → (num_ws, 512): offsets of the rig that are the same for every face
    row_weights name of `PREDICTED` → (rows,): how much each row of its matrix counts (`row_weights.py`); others' count alike
    """

    mean: Floats
    components: Floats
    smile: Floats
    matrices: Mapping[str, Floats]
    places: Mapping[str, Floats]
    controls: Mapping[str, Floats]
    generator_hash: str
    row_weights: Mapping[str, Floats] = field(default_factory=dict)

    def features(self, w: Floats) -> Floats:
        """(2 + p,) of a code w (512,)."""
        smile = max(0.0, float(w @ self.smile[:-1] + self.smile[-1])) / SMILES
        return np.concatenate([[1.0, smile], self.components @ (w - self.mean)]).astype(np.float32)

    def offset(self, name: str, ws: Floats) -> Floats:
        """(num_ws, 512): the way from ws (num_ws, 512), a face as it comes, to its neutral, or from neutral to an expression."""
        offset = np.zeros_like(ws)
        matrix = self.matrices[name]
        offset[FIRST : FIRST + len(matrix)] = matrix @ self.features(ws.mean(0))
        if name in self.row_weights:
            offset[FIRST : FIRST + len(matrix)] *= self.row_weights[name][:, None]
        return offset

    def with_plain_rows(self) -> "PathPredictor":
        """The same predictions, with the weights of rows in the matrices."""
        weighed = {name: self.matrices[name] * weights[:, None, None] for name, weights in self.row_weights.items()}
        return replace(self, matrices={**self.matrices, **weighed}, row_weights={})

    def paths(self, ws: Floats, name: str) -> ExpressionPaths:
        """Neutral, five expressions and the rig of the face `ws` (num_ws, 512), in a few milliseconds."""
        neutral = ws + self.offset(NEUTRAL_STEP, ws)
        knots = len(next(iter(self.places.values())))
        paths = np.zeros((len(EMOTIONS), knots, *ws.shape), np.float32)
        for emotion in EMOTION_GOALS:
            paths[EMOTIONS.index(emotion)] = self.places[emotion][:, None, None] * self.offset(emotion, ws)
        own = {control: self.offset(control, ws) for control in SEARCHED}
        return ExpressionPaths(neutral, paths, {**self.controls, **own}, self.generator_hash, name)

    def save(self, path: Path) -> None:
        """Raises `UserError` where the place can't be written."""
        tensors = {"mean": self.mean, "components": self.components, "smile": self.smile}
        tensors |= {f"matrix/{name}": np.ascontiguousarray(matrix, np.float16) for name, matrix in self.matrices.items()}
        tensors |= {f"places/{name}": places for name, places in self.places.items()}
        tensors |= {f"rows/{name}": weights for name, weights in self.row_weights.items()}
        tensors |= {f"control/{name}": np.ascontiguousarray(offset, np.float16) for name, offset in self.controls.items()}
        write_tensors(path, tensors, {"format": FORMAT, "generator": self.generator_hash})


def untrained(directions: Directions, codes: Floats, rows: slice, components: int = 0) -> PathPredictor:
    """Where training starts: attribute-level directions, the same for every face but for how much it smiles.

    codes   (n, 512): drawn faces, from which mean and principal components come
    rows    those that shape a face (`rows.shaping_rows`)
    """
    mean = codes.mean(0)
    _, spread, axes = np.linalg.svd((codes - mean).astype(np.float32), full_matrices=False)
    scaled = axes[:components] / (spread[:components, None] / np.sqrt(len(codes)))
    matrices = {name: np.zeros((rows.stop - rows.start, codes.shape[1], 2 + components), np.float32) for name in PREDICTED}
    for name in PREDICTED:
        if name == NEUTRAL_STEP:
            matrices[name][..., 1] = SMILES * directions.offsets["less_smile"][rows]
        else:
            matrices[name][..., 0] = directions.offsets[name][rows]
    straight = (np.arange(1, KNOTS + 1) / KNOTS).astype(np.float32)
    controls = {name: directions.offsets[name] for name in SHARED}
    return PathPredictor(
        mean,
        scaled.astype(np.float32),
        directions.smile_readout,
        matrices,
        dict.fromkeys(EMOTION_GOALS, straight),
        controls,
        directions.generator_hash,
    )


def load(path: Path, generator_hash: str | None = None) -> PathPredictor:
    """Raises `UserError` where the file is missing, damaged or made for another generator."""
    tensors, metadata = read_tensors(path, FORMAT, generator_hash, "mean", "components", "smile", tool="train_predictor")

    def group(kind: str) -> dict[str, Floats]:
        return {name.removeprefix(kind): tensor.astype(np.float32) for name, tensor in tensors.items() if name.startswith(kind)}

    matrices, places, row_weights = group("matrix/"), group("places/"), group("rows/")
    weighable = all(name in matrices and weights.shape == matrices[name].shape[:1] for name, weights in row_weights.items())
    if set(matrices) != set(PREDICTED) or set(places) != set(EMOTION_GOALS) or not weighable:
        raise UserError(
            f"the predictor in {path} is damaged (parts are missing, or do not fit): "
            "make it again with python -m tools.train_predictor"
        )
    plain = {name: tensors[name].astype(np.float32) for name in ("mean", "components", "smile")}
    return PathPredictor(
        **plain,
        matrices=matrices,
        places=places,
        controls=group("control/"),
        generator_hash=metadata["generator"],
        row_weights=row_weights,
    )
