"""The head-up display: what is heard and shown, how fast and how late, drawn onto a copy of the picture."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.labels import EMOTIONS
from realtime.values import Frame

Picture = NDArray[np.uint8]
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
INK: Final = (235, 235, 235)
HEARD: Final = (70, 170, 255)  # BGR, an orange
SHOWN: Final = (235, 235, 235)
NAME: Final = 8  # letters of a performer's name beside the level


@dataclass(frozen=True)
class Reading:
    """Numbers the display shows beside the frame's own."""

    fps: float
    latency: float | None
    """Seconds from sound to screen."""
    face: str
    sound: str
    health: str
    """Empty, or what fails."""
    search: str = ""
    """Empty, or how far a search for better expressions is."""


def draw_hud(picture: Picture, frame: Frame, reading: Reading) -> None:
    """Write on `picture` (H, W, 3) BGR in place: five bars (heard, dim where unsure; a line at what is shown), level, rates."""
    scale = picture.shape[0] / 768
    pad, row = round(16 * scale), round(26 * scale)
    _shade(picture, 0, 0, round(300 * scale), pad + 7 * row)
    heard = frame.controls.heard
    for i, name in enumerate(EMOTIONS):
        y = pad + i * row
        _text(picture, name, pad, y + round(15 * scale), scale)
        left, width = round(90 * scale), round(190 * scale)
        bar, certainty = (float(heard.probabilities[i]), heard.confidence) if heard else (0.0, 0.0)
        colour = [channel * (0.35 + 0.65 * min(1.0, 2 * certainty)) for channel in HEARD]
        cv2.rectangle(picture, (left, y), (left + round(width * bar), y + round(16 * scale)), colour, -1)
        x = left + round(width * float(frame.controls.emotion[i]))
        cv2.line(picture, (x, y - 2), (x, y + round(18 * scale)), SHOWN, max(1, round(3 * scale)))
    y = pad + 5 * row
    level = frame.controls.prosody.level_db if frame.controls.prosody else -90.0
    _text(picture, (heard.voice[:NAME] or "voice") if heard and heard.speaking else "level", pad, y + round(15 * scale), scale)
    width = round(190 * scale * float(np.clip(1 + level / 60, 0, 1)))
    cv2.rectangle(picture, (round(90 * scale), y), (round(90 * scale) + width, y + round(16 * scale)), (120, 200, 120), -1)
    late = "-" if reading.latency is None else f"{reading.latency * 1000:.0f} ms"
    _text(picture, f"{reading.fps:.0f} frames/s   {late}   {reading.face}", pad, y + row + round(15 * scale), scale)
    bottom = [line for line in (reading.health, reading.search, reading.sound) if line]
    _shade(picture, 0, picture.shape[0] - len(bottom) * row - pad // 2, picture.shape[1], picture.shape[0])
    for i, line in enumerate(reversed(bottom)):
        _text(picture, line, pad, picture.shape[0] - round(12 * scale) - i * row, scale)


def draw_keys(picture: Picture, keys: dict[str, str]) -> None:
    """List the keys in the middle of `picture`, in place."""
    scale = picture.shape[0] / 768
    row, width = round(30 * scale), round(420 * scale)
    x, y = (picture.shape[1] - width) // 2, (picture.shape[0] - row * len(keys)) // 2
    _shade(picture, x - row, y - row, x + width + row, y + row * (len(keys) + 1))
    for i, (key, meaning) in enumerate(keys.items()):
        _text(picture, key, x, y + i * row + round(20 * scale), scale * 1.2)
        _text(picture, meaning, x + round(120 * scale), y + i * row + round(20 * scale), scale * 1.2)


def _text(picture: Picture, text: str, x: int, y: int, scale: float) -> None:
    plain = text.encode("ascii", "replace").decode()  # OpenCV's fonts know nothing else
    cv2.putText(picture, plain, (x, y), FONT, 0.55 * scale, INK, max(1, round(1.3 * scale)), cv2.LINE_AA)


def _shade(picture: Picture, x0: int, y0: int, x1: int, y1: int) -> None:
    part = picture[max(0, y0) : y1, max(0, x0) : x1]
    part[:] = part // 3
