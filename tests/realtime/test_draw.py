"""The drawing stage: controls become latents, latents become frames, and one face becomes another without a jump."""

import numpy as np
import pytest

from models.expression.paths import ExpressionPaths
from models.labels import EMOTIONS
from realtime.clock import VirtualClock
from realtime.draw import FADE, Drawer, FaceOnShow
from realtime.express import Express
from realtime.settings import Expression
from realtime.stats import Stats
from realtime.values import Heard, Prosody

NUM_WS = 3
HAPPY = EMOTIONS.index("happy")


def face(value: float, name: str) -> ExpressionPaths:
    """A face of one number: `value` at rest, +1 when happy, +10 with the mouth open."""
    paths = np.zeros((5, 1, NUM_WS, 512), np.float32)
    paths[HAPPY] = 1.0
    rig = {"mouth_open": np.full((NUM_WS, 512), 10, np.float32), "blink": np.zeros((NUM_WS, 512), np.float32)}
    return ExpressionPaths(np.full((NUM_WS, 512), value, np.float32), paths, rig, "hash", name)


class MeanEngine:
    """Renders the mean of its latents as a grey level."""

    def render(self, ws: np.ndarray) -> np.ndarray:
        assert ws.shape == (1, NUM_WS, 512)
        assert ws.dtype == np.float32
        return np.full((8, 8, 3), ws.mean(), np.uint8)


def test_what_is_heard_is_drawn() -> None:
    express = Express(Expression(life=0, attack=0, mouth=0))
    drawer = Drawer(express, FaceOnShow(face(100, "a")), MeanEngine(), VirtualClock(), Stats())
    assert drawer.step(0.0).pixels[0, 0, 0] == 100
    express.feel(Prosody(0.1, -20, 0, 0))
    express.hear(Heard(0.1, np.eye(5, dtype=np.float32)[HAPPY], 1.0, True, 0, 0))
    frame = drawer.step(0.12)
    assert frame.pixels[0, 0, 0] == 101
    assert (frame.number, frame.t_audio) == (1, 0.1)


def test_strength_scales_the_expression() -> None:
    express = Express(Expression(life=0, attack=0, mouth=0, strength=0.0))
    drawer = Drawer(express, FaceOnShow(face(100, "a")), MeanEngine(), VirtualClock(), Stats())
    express.hear(Heard(0.1, np.eye(5, dtype=np.float32)[HAPPY], 1.0, True, 0, 0))
    assert drawer.step(0.2).pixels[0, 0, 0] == 100


def test_a_face_becomes_another_without_a_jump() -> None:
    show = FaceOnShow(face(100, "a"))
    show.change(face(200, "b"), t=1.0)
    rest = np.eye(5, dtype=np.float32)[EMOTIONS.index("neutral")]
    values = [show.ws(t, rest, 1.0, {}).mean() for t in np.linspace(0.9, 1.0 + 1.2 * FADE, 200)]
    assert values[0] == pytest.approx(100)
    assert values[-1] == pytest.approx(200)
    steps = np.diff(values)
    assert steps.min() >= -1e-3
    assert steps.max() < 2.0
    assert show.name == "b"


def test_the_sound_of_a_frame_keeps_its_time_after_the_sound_is_gone() -> None:
    express = Express(Expression())
    drawer = Drawer(express, FaceOnShow(face(100, "a")), MeanEngine(), VirtualClock(), Stats())
    assert drawer.step(0.0).t_audio is None
    express.feel(Prosody(0.5, -20, 0, 0))
    assert drawer.step(0.6).t_audio == 0.5
    assert drawer.step(5.0).t_audio == 0.5


def test_a_face_asked_for_while_another_comes_in_makes_no_jump() -> None:
    show = FaceOnShow(face(0, "a"))
    rest = np.eye(5, dtype=np.float32)[EMOTIONS.index("neutral")]
    values, t = [], 0.0
    for begin, value in ((0.1, 100), (0.3, 200), (0.35, 50), (0.4, 200)):
        while t < begin:
            values.append(show.ws(t, rest, 1.0, {}).mean())
            t += 0.005
        show.change(face(value, str(value)), begin)
    while t < 0.4 + 1.1 * FADE:
        values.append(show.ws(t, rest, 1.0, {}).mean())
        t += 0.005
    assert np.abs(np.diff(values)).max() < 5.0
    assert values[-1] == pytest.approx(200) and show.name == "200"
    assert len(show._layers) == 1


def test_sound_that_is_gone_has_no_age() -> None:
    express = Express(Expression())
    drawer = Drawer(express, FaceOnShow(face(100, "a")), MeanEngine(), VirtualClock(), Stats())
    express.feel(Prosody(0.5, -20, 0, 0))
    assert drawer.step(0.6).age_of_sound(0.7) == pytest.approx(0.2)
    assert drawer.step(60.0).age_of_sound(60.1) is None
