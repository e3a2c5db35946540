"""The window on a virtual screen: pictures change, keys answer, the close button ends the show."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.outputs.window import TITLE

pytestmark = pytest.mark.display


class Desk:
    """Eyes and fingers: grabs the screen and presses keys."""

    def __init__(self, display: str, folder: Path) -> None:
        self._environment = os.environ | {"DISPLAY": display}
        self._display, self._folder = display, folder

    def press(self, key: str) -> None:
        subprocess.run(["xdotool", "search", "--name", TITLE, "windowfocus", "key", key], env=self._environment, check=True)

    def place(self) -> tuple[int, int, int, int]:
        """x, y, width, height of the window's inside."""
        command = ["xdotool", "search", "--name", TITLE, "getwindowgeometry", "--shell"]
        text = subprocess.run(command, env=self._environment, check=True, capture_output=True, text=True).stdout
        shell = dict(line.split("=") for line in text.split())
        return int(shell["X"]), int(shell["Y"]), int(shell["WIDTH"]), int(shell["HEIGHT"])

    def look(self) -> np.ndarray:
        """What the window shows, (height, width, 3)."""
        path = self._folder / "screen.png"
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-y",
            "-f",
            "x11grab",
            "-draw_mouse",
            "0",
            "-i",
            self._display,
            "-frames:v",
            "1",
            str(path),
        ]
        subprocess.run(command, check=True)
        picture = cv2.imread(str(path))
        assert picture is not None
        x, y, width, height = self.place()
        # xdotool counts the frame that the window manager adds twice: leave out what may be frame.
        edge = 0 if (x, y) == (0, 0) else 30
        return picture[y + edge : y + height - edge, x + edge : x + width - edge].astype(np.float32)

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, what
            time.sleep(0.2)


def test_the_window_plays_and_its_keys_work(program, screen: str, tmp_path: Path) -> None:
    show = program("--audio", "demo", "--loop", "--stats", "stats.json", "--set", "audio.speaker=false", DISPLAY=screen)
    desk = Desk(screen, tmp_path)
    show.wait_for("sound: ")
    desk.until(lambda: desk.look().mean() > 20, "nothing on the screen", 60)

    first = desk.look()
    desk.until(lambda: np.abs(desk.look() - first).max() > 40, "the picture does not move")

    def face() -> np.ndarray:
        """Below the display of what is heard, which says how many frames are drawn, frozen or not, when it is put up anew."""
        return desk.look()[200:]

    desk.press("space")
    time.sleep(0.5)
    frozen = face()
    time.sleep(0.7)
    assert np.abs(face() - frozen).max() == 0, "frozen pictures stand still"
    desk.press("b")
    desk.until(lambda: desk.look().max() < 10, "blackout is not black while frozen")
    desk.press("b")
    desk.until(lambda: np.abs(face() - frozen).max() == 0, "the frozen picture does not come back after a blackout")
    desk.press("space")
    desk.until(lambda: np.abs(face() - frozen).max() > 10, "it does not go on after a freeze")

    desk.press("b")
    desk.until(lambda: desk.look().max() < 10, "blackout is not black")
    desk.press("b")
    desk.until(lambda: desk.look().mean() > 20, "blackout stays")

    desk.press("question")
    time.sleep(0.5)
    with_keys = desk.look()
    desk.press("question")
    time.sleep(0.5)
    assert np.abs(desk.look() - with_keys).mean() > 1, "the list of keys does not show"

    before = desk.look()
    desk.press("2")
    desk.until(lambda: np.abs(desk.look() - before).mean() > 10, "key 2 does not bring another face")
    desk.press("0")
    desk.until(lambda: np.abs(desk.look() - before).mean() < 10, "key 0 does not bring back the face of the start")

    desk.press("f")
    desk.until(lambda: desk.place() == (0, 0, 1280, 1024), "F does not fill the screen")
    desk.until(lambda: desk.look()[:, 600:680].mean() > 20 > desk.look()[:, :100].max(), "the square is not centred on black")
    desk.press("f")
    desk.until(lambda: desk.place()[2:] != (1280, 1024), "F does not let go of the screen")

    desk.press("s")
    folder = Path(f"/proc/{show.process.pid}/cwd").resolve()
    desk.until(lambda: bool(list(folder.glob("speech2expression-*.png"))), "no snapshot")
    snapshot = cv2.imread(str(next(folder.glob("speech2expression-*.png"))))
    assert snapshot is not None
    assert snapshot.shape == (256, 256, 3)

    desk.press("q")
    assert show.process.wait(60) == 0, show.log
    assert "Traceback" not in show.log
    report = json.loads((folder / "stats.json").read_text())
    assert report["milliseconds"]["sound to window"]["n"] > 5
    assert report["faults"] == {}


def test_without_a_screen_a_video_is_written(program) -> None:
    show = program("--audio", "demo", "--seconds", "3")
    show.wait_for("no screen: the picture goes to the video file")
    assert show.process.wait(120) == 0, show.log
    folder = Path(show._log.name).parent
    (video,) = folder.glob("speech2expression-*.mp4")
    probe = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0", str(video)]
    kinds = subprocess.run(probe, check=True, capture_output=True, text=True).stdout.split()
    assert sorted(kinds) == ["audio", "video"]
