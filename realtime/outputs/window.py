"""The window on the screen, with a head-up display and keys; it lives on the main thread, as every window system asks."""

import logging
import time
from collections.abc import Callable
from itertools import chain, count
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import UserError
from models.files import written_beside
from realtime.outputs.blend import Blend
from realtime.outputs.hud import Reading, draw_hud, draw_keys
from realtime.outputs.screen import has_screen
from realtime.settings import Window as WindowSettings
from realtime.values import Frame

log = logging.getLogger(__name__)

TITLE: Final = "speech2expression"
SIDE: Final = 768
"""Pixels of the window's side at the start."""
KEYS: Final = {
    "F": "fullscreen",
    "H": "head-up display",
    "1...9": "faces",
    "0": "face of the start",
    "B": "blackout",
    "space": "freeze",
    "S": "snapshot",
    "?": "this list",
    "Q, Esc": "quit",
}
ESCAPE: Final = 27


class WindowOutput:
    """Shows frames; `on_face(k)` is called with 0...8 when a face is asked for by its key, -1 for the face of the start.

    Raises `UserError` where there is no screen.
    """

    def __init__(self, settings: WindowSettings, on_face: Callable[[int], None]) -> None:
        if not has_screen():
            raise UserError(
                "no screen to open a window on (DISPLAY names none that answers); use --no-window, or start an X server"
            )
        self._settings, self._on_face = settings, on_face
        self.fullscreen, self.hud, self.keys = settings.fullscreen, settings.hud, False
        self.blackout = self.freeze = self.quit = False
        self._frame: Frame | None = None
        self._pixels = self._canvas = np.zeros((1, 1, 3), np.uint8)
        self._blend = Blend(1 / settings.rate if settings.smooth else float("inf"))
        self._seen = False
        self._stale = False
        """Whether a key asked for something that what is on the screen may not show yet."""
        self._health = ""
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)
        cv2.resizeWindow(TITLE, SIDE, SIDE)
        self._apply_fullscreen()

    def step(self, frame: Frame | None, reading: Reading, t: float) -> Frame | None:
        """Show `frame` (None: nothing new) at time `t`, then answer keys. Returns a frame once it has been wholly seen."""
        pixels, seen = None, None
        if not self.freeze:
            pixels, seen = self._blend.step(frame, t)
            self._frame = frame or self._frame
        if pixels is not None:
            self._pixels = pixels
        # Keys, health and size change without any new pixels too: while frozen, or while nothing can be drawn.
        resized = self._fit_canvas()
        if self._frame is not None and (pixels is not None or resized or self._stale or reading.health != self._health):
            cv2.imshow(TITLE, self._compose(self._frame, self._pixels, reading))
            self._stale, self._health = False, reading.health
        self._answer(cv2.pollKey())
        self._notice_closing()
        return None if self.blackout else seen

    def wait(self, t: float) -> float:
        """Seconds from time `t` until a step without a new frame has a picture to put up; infinity where none has."""
        return float("inf") if self.freeze else self._blend.wait(t)

    def close(self) -> None:
        """Calling it again does nothing."""
        cv2.destroyAllWindows()

    def _fit_canvas(self) -> bool:
        """Make the canvas as large as the window, and say whether it was not."""
        # The canvas is the whole window: left to themselves, window systems fill with white what a square leaves over. It is
        # kept, and drawn into: fresh memory for every picture takes longer than all the rest.
        _, _, width, height = cv2.getWindowImageRect(TITLE)
        shape = (max(height, 1), max(width, 1), 3)
        if self._canvas.shape == shape:
            return False
        self._canvas = np.zeros(shape, np.uint8)
        return True

    def _compose(self, frame: Frame, pixels: NDArray[np.uint8], reading: Reading) -> NDArray[np.uint8]:
        canvas = self._canvas
        if self.blackout:
            canvas[:] = 0
            return canvas
        side = min(canvas.shape[:2])
        x, y = (canvas.shape[1] - side) // 2, (canvas.shape[0] - side) // 2
        picture = canvas[y : y + side, x : x + side]
        bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        if self._settings.mirror:
            bgr = cv2.flip(bgr, 1)
        cv2.resize(bgr, (side, side), dst=picture, interpolation=cv2.INTER_CUBIC)
        if self.hud:
            draw_hud(picture, frame, reading)
        if self.keys:
            draw_keys(picture, KEYS)
        return canvas

    def _answer(self, code: int) -> None:
        if code < 0:
            return
        self._stale = True
        code &= 0xFFFF  # above stand modifiers
        if code > 0xFF:
            return  # arrows and the like: X11 gives numbers whose low byte is some letter's
        key = chr(code).lower()
        if key == "f":
            self.fullscreen = not self.fullscreen
            self._apply_fullscreen()
        elif key == "h":
            self.hud = not self.hud
        elif key == "b":
            self.blackout = not self.blackout
        elif key == " ":
            self.freeze = not self.freeze
        elif key == "s":
            self._snapshot()
        elif key == "?":
            self.keys = not self.keys
        elif key in "0123456789":
            self._on_face(int(key) - 1)
        elif key == "q" or code == ESCAPE:
            self.quit = True

    def _apply_fullscreen(self) -> None:
        cv2.setWindowProperty(TITLE, cv2.WND_PROP_FULLSCREEN, cv2.WINDOW_FULLSCREEN if self.fullscreen else cv2.WINDOW_NORMAL)

    def _snapshot(self) -> None:
        if self._frame is None:
            return
        name = time.strftime("speech2expression-%Y%m%d-%H%M%S")
        ok, png = cv2.imencode(".png", np.ascontiguousarray(self._frame.pixels[..., ::-1]))
        assert ok
        names = (f"{name}{suffix}.png" for suffix in chain([""], (f"-{k}" for k in count(2))))
        try:
            path = next(path for path in map(self._settings.snapshots.joinpath, names) if not path.exists())
            with written_beside(path) as beside:
                beside.write_bytes(png.tobytes())
            log.info("snapshot %s", path)
        except (UserError, OSError) as error:
            log.warning("no snapshot: %s", error)

    def _notice_closing(self) -> None:
        # The close button makes an open window invisible; before the first frame it is not visible yet either.
        visible = cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1
        self.quit |= self._seen and not visible
        self._seen |= visible
