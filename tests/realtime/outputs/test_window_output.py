"""The window: what is on the screen follows keys, health and size, whether or not there are new pixels."""

from pathlib import Path

import numpy as np
import pytest

from realtime.outputs import window as module
from realtime.outputs.hud import Reading
from realtime.outputs.window import WindowOutput
from realtime.settings import Window as WindowSettings
from realtime.values import Controls, Frame

FRAME = Frame(0, Controls(0.0, np.eye(5, dtype=np.float32)[1], 1.0, {}), None, 0.0, np.full((8, 8, 3), 200, np.uint8))
WELL = Reading(60.0, None, "seed:1", "demo", "")


class Screen:
    """Stands for OpenCV's window: `pictures` are what was put up, `size` is its own, `pressed` the keys to come."""

    def __init__(self) -> None:
        self.pictures: list[np.ndarray] = []
        self.size, self.pressed = (96, 64), ""

    def key(self) -> int:
        key, self.pressed = self.pressed[:1], self.pressed[1:]
        return ord(key) if key else -1  # any number up to 0x10FFFF


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    for name in ("namedWindow", "resizeWindow", "setWindowProperty"):
        monkeypatch.setattr(module.cv2, name, lambda *_: None)
    monkeypatch.setattr(module, "has_screen", lambda: True)
    monkeypatch.setattr(module.cv2, "getWindowProperty", lambda *_: 1.0)
    monkeypatch.setattr(module.cv2, "getWindowImageRect", lambda _: (0, 0, *screen.size))
    monkeypatch.setattr(module.cv2, "pollKey", screen.key)
    monkeypatch.setattr(module.cv2, "imshow", lambda _, picture: screen.pictures.append(picture.copy()))
    return screen


def opened(*, hud: bool = False) -> WindowOutput:
    """A window with one frame on it, wholly faded in."""
    window = WindowOutput(WindowSettings(hud=hud), lambda index: None)
    window.step(FRAME, WELL, 0.0)
    return window


def press(window: WindowOutput, screen: Screen, key: str, reading: Reading = WELL) -> None:
    """A step that reads the key, and the next, which shows what came of it."""
    screen.pressed = key
    for _ in range(2):
        window.step(None, reading, 1.0)


def test_a_frozen_picture_comes_back_after_a_blackout(screen: Screen) -> None:
    window = opened()
    press(window, screen, " ")
    press(window, screen, "b")
    assert screen.pictures[-1].max() == 0
    press(window, screen, "b")
    assert screen.pictures[-1].max() == 200


@pytest.mark.parametrize("key", ["h", "?"])
def test_what_a_key_overlays_comes_and_goes_without_new_frames(screen: Screen, key: str) -> None:
    window = opened()
    plain = screen.pictures[-1]
    press(window, screen, key)
    assert np.any(screen.pictures[-1] != plain)
    press(window, screen, key)
    np.testing.assert_array_equal(screen.pictures[-1], plain)


def test_what_fails_is_told_while_no_frame_comes(screen: Screen) -> None:
    screen.size = (768, 768)
    window = opened(hud=True)
    window.step(None, WELL, 1.0)
    well = screen.pictures[-1]
    window.step(None, Reading(60.0, None, "seed:1", "demo", "renderer: out of memory"), 1.1)
    assert np.any(screen.pictures[-1] != well)
    window.step(None, WELL, 1.2)
    np.testing.assert_array_equal(screen.pictures[-1], well)


def test_a_new_size_is_filled_without_new_frames(screen: Screen) -> None:
    window = opened()
    screen.size = (128, 128)
    window.step(None, WELL, 1.0)
    assert screen.pictures[-1].shape == (128, 128, 3)


def test_digits_ask_for_faces(screen: Screen) -> None:
    asked: list[int] = []
    window = WindowOutput(WindowSettings(), asked.append)
    screen.pressed = "190"
    for t in range(3):
        window.step(None, WELL, t)
    assert asked == [0, 8, -1]


def test_every_snapshot_is_kept(screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "strftime", lambda _: "now")
    window = WindowOutput(WindowSettings(snapshots=tmp_path), lambda index: None)
    window.step(FRAME, WELL, 0.0)
    for _ in range(3):
        press(window, screen, "s")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["now-2.png", "now-3.png", "now.png"]


def test_nothing_is_put_up_anew_while_nothing_changes(screen: Screen) -> None:
    window = opened()
    press(window, screen, "?")
    before = len(screen.pictures)
    window.step(None, WELL, 2.0)
    assert len(screen.pictures) == before


@pytest.mark.parametrize("code", [0xFF51, 0xFF53, 0xFFBE, 0x8FF1B, 0xFFE1])
def test_a_key_without_a_character_does_nothing(screen: Screen, code: int, tmp_path: Path) -> None:
    """The left arrow's low byte is a Q, the right one's an S."""
    window = WindowOutput(WindowSettings(hud=False, snapshots=tmp_path), lambda index: pytest.fail("a face was asked for"))
    window.step(FRAME, WELL, 0.0)
    press(window, screen, chr(code))
    assert not window.quit and not list(tmp_path.iterdir())
    press(window, screen, chr(0x100000 + ord("q")))  # with a lock of the keyboard on
    assert window.quit
