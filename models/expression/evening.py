"""What a prediction or a search left uneven (left and right, turns of the head, the colour of irises and skin), put right by the
smallest step in W+.

Drawn faces differ between left and right, most where the head is turned, and an emotion adds to it; fear makes irises paler and
sadness makes them darker. A walk that pays for this among many other things, or not at all, leaves much of it
(docs/expression.md). So at the end the few movements and colours that still differ are taken as linear in the code, and solved
for (Gauss-Newton, least change), with the emotion's log-odds held: as small a step changes nothing else that can be seen.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.expression.geometry import turned_from
from models.expression.paths import ExpressionPaths, led
from models.expression.preview import Generator, as_bytes, full_picture, previews_of
from models.expression.progress import Progress, untold
from models.expression.rows import emotion_rows, shaping_rows
from models.judge.eyes import Eyes
from models.judge.irises import iris_weights
from models.judge.landmarks import SKIN, polygon
from models.judge.steer import BOTH_WAYS, STILL, Jitter, View
from models.labels import EMOTIONS, NEUTRAL

EVEN: Final = 0.06  # of a blendshape, that left and right may differ
LEVEL: Final = 1.5  # degrees that an emotion may turn the head
IRIS: Final = 0.03  # of red, green and blue (0…1), that an emotion may change the irises
SKIN_COLOUR: Final = 0.01  # and each patch of the skin
COLOURS: Final = (IRIS, *[SKIN_COLOUR] * len(SKIN))
SHADED: Final = ("sad",)  # lids that droop shade the irises; held to its colours such a face is less sad
LEAST_SEEN: Final = 8.0  # pixels of a preview; where lids hide more of the irises, nothing is said of their colour
ODDS: Final = 0.2  # of the emotion's log-odds: what a loss of them counts beside these limits
INSIDE: Final = 0.8  # of these limits: where a step leads
STEPS: Final = 3
LONGEST: Final = 1.0  # of the whole way, in W+: longer ones move what is behind the face
DAMPING: Final = 1e-3  # of the mean squared slope: two movements that go together are not torn apart
# A mesh sees a crop that is moved a little differently, by .06 of a squint; what is evened out is the mean of three.
CROPS: Final = (*STILL, Jitter(0.015, 0.0, 0.93), Jitter(-0.015, 0.0, 1.07))

Floats = NDArray[np.float32]


def evened(generator: Generator, face: ExpressionPaths, eyes: Eyes, progress: Progress = untold) -> ExpressionPaths:
    """The same face, even at rest and at the end of each emotion, where irises and skin keep their colour, too, but in sadness;
    knots before the end share in its step, the rig stays.

    Some seconds of a core. Raises `UserError` where the neutral picture shows no face.
    """
    progress(0.0, "evening out")
    scene = _Scene(generator, eyes, torch.from_numpy(face.neutral)[None])
    at_rest = scene.step(scene.rest, shaping_rows(generator))
    rest = scene.rest + at_rest
    scene.holds(rest)
    paths = face.paths.copy()
    for emotion in range(len(EMOTIONS)):
        progress((1 + emotion) / (1 + len(EMOTIONS)), f"evening out {EMOTIONS[emotion]}")
        end = torch.from_numpy(face.paths[emotion, -1])
        if emotion == NEUTRAL or not end.any():
            continue
        step = scene.step(rest + end, emotion_rows(generator), emotion).numpy()
        paths[emotion] = led(face.paths[emotion], step)
    return replace(face, neutral=rest[0].numpy(), paths=paths)


class _Scene:
    """One face, and what is uneven of it at some code."""

    def __init__(self, generator: Generator, eyes: Eyes, rest: Tensor) -> None:
        self.rest = rest
        self._steering = eyes.steering
        picture = full_picture(generator, rest)
        self._view = View.of(eyes.detect(as_bytes(picture)), picture.shape[-1])
        self._previews = previews_of(generator)
        self._preview = self._previews(rest, True)
        self._turned: Callable[[Tensor], Tensor] | None = None
        self._colours: tuple[Tensor | None, ...] = ()

    def holds(self, rest: Tensor) -> None:
        """From now on a head that turns away from how it is held there is uneven, too, and so is another colour."""
        with torch.no_grad():
            picture = self._preview(rest)
            mesh = self._meshes(picture).mean(0)
            self._turned, self._colours = turned_from(mesh), colours(picture, mesh)

    def step(self, code: Tensor, rows: slice, emotion: int | None = None) -> Tensor:
        """(num_ws, w_dim): from `code` (1, num_ws, w_dim), in these rows, to where no limit is passed, or towards it, and an
        `emotion` is seen as surely as before."""
        self._preview = self._previews(code, False)
        offset = torch.zeros_like(code[0])
        slopes: dict[int, Tensor] = {}  # of each value, found once: steps are short
        begun: float | None = None
        for _ in range(STEPS):
            moved = offset[rows].clone().requires_grad_()
            before, after = offset[: rows.start], offset[rows.stop :]
            picture = self._preview(code + torch.cat([before, moved, after]))
            values, limits = self._seen(picture, coloured=emotion is not None and EMOTIONS[emotion] not in SHADED)
            beyond = [k for k in range(len(values)) if float(values[k].detach().abs()) > float(limits[k])]
            if not beyond:
                break
            excess = (values - values.clamp(-INSIDE * limits, INSIDE * limits)).detach()
            if emotion is not None:
                odds = self._log_odds(picture, emotion)
                begun = float(odds.detach()) if begun is None else begun
                beyond.append(len(values))
                excess = torch.cat([excess, (odds.detach() - begun).clamp(max=0)[None]])
                values, limits = torch.cat([values, odds[None]]), torch.cat([limits, limits.new_full((1,), ODDS)])
            for k in beyond:
                if k not in slopes:
                    slopes[k] = torch.autograd.grad(values[k], moved, retain_graph=True)[0].flatten()
            in_limits = [slopes[k] / limits[k] for k in beyond]  # degrees would else outweigh all others where both are damped
            offset[rows] -= least_change(torch.stack(in_limits), (excess / limits)[beyond]).view_as(moved)
            if (length := float(offset.norm())) > LONGEST:
                return offset * (LONGEST / length)
        return offset

    def _log_odds(self, picture: Tensor, emotion: int) -> Tensor:
        """The mean of both networks' log-odds of an emotion, each crop's own: there is a slope where a verdict is sure, too."""
        verdicts = self._steering.expression(picture, self._view, BOTH_WAYS)
        others = [number for number in range(len(EMOTIONS)) if number != emotion]
        return (verdicts[..., emotion] - verdicts[..., others].logsumexp(-1)).mean()

    def _seen(self, picture: Tensor, *, coloured: bool) -> tuple[Tensor, Tensor]:
        """What should be small in a preview, and how small: differences of left and right, degrees of turn and, if irises and
        skin should be `coloured` as at rest, colours."""
        meshes = self._meshes(picture)
        mesh = meshes.mean(0)
        parts = [(torch.stack([self._steering.sides(one) for one in meshes]).mean(0), EVEN)]
        if self._turned is not None:
            parts.append((self._turned(mesh), LEVEL))
        if coloured:
            for before, now, limit in zip(self._colours, colours(picture, mesh), COLOURS, strict=True):
                parts.append((mesh.new_zeros(3) if before is None or now is None else now - before, limit))
        return torch.cat([values for values, _ in parts]), torch.cat([torch.full_like(*part) for part in parts])

    def _meshes(self, picture: Tensor) -> Tensor:
        """(crops, 478, 2): the mesh in each crop of a preview."""
        return torch.stack([self._steering.points(picture, self._view.moved(crop)) for crop in CROPS])


def colours(picture: Tensor, mesh: Tensor) -> tuple[Tensor | None, ...]:
    """Mean red, green and blue, each (3,), in a preview (1, 3, side, side): of both irises and of each patch of `SKIN`; None
    where too little is seen of one."""
    side = picture.shape[-1]
    points = (mesh.detach().cpu().numpy() * side).astype(np.float32)
    regions = [iris_weights(points, side).sum(0), *(polygon(points, patch, side).astype(np.float32) for patch in SKIN)]
    weights = [torch.from_numpy(region).to(picture) for region in regions]
    return tuple((picture[0] * one).sum((1, 2)) / one.sum() if one.sum() >= LEAST_SEEN else None for one in weights)


def least_change(slopes: Tensor, excess: Tensor) -> Tensor:
    """(n,): the shortest vector whose products with `slopes` (k, n) are `excess` (k,), damped."""
    gram = slopes @ slopes.T
    damping = DAMPING * gram.diagonal().mean() * torch.eye(len(gram)).to(gram)
    vector: Tensor = slopes.T @ torch.linalg.solve(gram + damping, excess)
    return vector
