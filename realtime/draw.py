"""The drawing stage: controls → latents → engine → frame."""

import threading
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.expression.paths import ExpressionPaths
from realtime.clock import Clock
from realtime.express import Express
from realtime.stats import Stats
from realtime.values import Frame

FADE: Final = 0.6
"""Seconds in which one face becomes another."""


class Renderer(Protocol):
    """What the engine offers: latents (1, num_ws, w_dim) in, finished pixels (H, W, 3) out."""

    def render(self, ws: NDArray[np.float32]) -> NDArray[np.uint8]: ...


class FaceOnShow:
    """The face being played and the one it is becoming; the change is a walk through the latent space."""

    def __init__(self, paths: ExpressionPaths) -> None:
        self._lock = threading.Lock()
        self._layers = [(paths, float("-inf"))]  # faces and when each began to cover those before it

    def change(self, paths: ExpressionPaths, t: float) -> None:
        """Become `paths` from time `t` on; wholly so with minus infinity."""
        with self._lock:
            self._layers = [*self._layers, (paths, t)]

    @property
    def name(self) -> str:
        return self._layers[-1][0].name

    def ws(self, t: float, emotion: NDArray[np.float32], strength: float, rig: dict[str, float]) -> NDArray[np.float32]:
        """Latents (1, num_ws, w_dim) at time `t`."""
        with self._lock:
            while len(self._layers) > 1 and t - self._layers[1][1] >= FADE:
                self._layers = self._layers[1:]
            (first, _), *covering = self._layers
        ws = first.blend(emotion, strength, rig)
        for paths, since in covering:
            mix = min(max(0.0, (t - since) / FADE), 1.0)
            smooth = np.float32(mix**2 * (3 - 2 * mix))
            ws = smooth * paths.blend(emotion, strength, rig) + (1 - smooth) * ws
        return ws


class Drawer:
    """Draws the face as it is at a moment."""

    def __init__(self, express: Express, face: FaceOnShow, engine: Renderer, clock: Clock, stats: Stats) -> None:
        self._express, self._face, self._engine, self._clock, self._stats = express, face, engine, clock, stats
        self._number = 0
        self._t_audio: float | None = None
        self._last_ready: float | None = None

    def step(self, t: float) -> Frame:
        """The frame for time `t`; times never run backwards."""
        controls = self._express.step(t)
        if controls.prosody is not None:
            self._t_audio = controls.prosody.t
        with self._stats.timed("latents"):
            ws = self._face.ws(t, controls.emotion, controls.strength, controls.rig)
        with self._stats.timed("engine"):
            pixels = self._engine.render(ws)
        ready = self._clock.now()
        if self._last_ready is not None:
            self._stats.add("frame interval", ready - self._last_ready)
        self._last_ready = ready
        frame = Frame(self._number, controls, self._t_audio, ready, pixels)
        self._number += 1
        return frame
