"""Choosing a microphone: the one that was meant, or a line that names those there are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import UserError
from realtime.sound.portaudio import Device, choose_input, quiet_stderr

ROOT = Path(__file__).parents[3]
DEVICES = [
    Device(0, "HDA Intel: Analog", "ALSA", 2, 48_000, False),
    Device(3, "USB Microphone", "ALSA", 1, 44_100, True),
    Device(7, "USB Camera", "ALSA", 1, 16_000, False),
]


@pytest.mark.parametrize(("wanted", "index"), [("", 3), ("7", 7), ("USB Camera", 7), ("intel", 0), ("microph", 3)])
def test_the_device_that_was_meant(wanted: str, index: int) -> None:
    assert choose_input(DEVICES, wanted).index == index


@pytest.mark.parametrize(
    ("wanted", "why"), [("usb", "more than one"), ("9", "no recording device"), ("bluetooth", "no recording device")]
)
def test_never_another_one_silently(wanted: str, why: str) -> None:
    with pytest.raises(UserError, match=why) as error:
        choose_input(DEVICES, wanted)
    assert "USB Microphone" in str(error.value)


def test_without_a_default_microphone_it_says_so() -> None:
    with pytest.raises(UserError, match="no default microphone"):
        choose_input(DEVICES[:1], "")


def test_what_libraries_write_to_stderr_is_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_stderr():
        os.write(2, b"ALSA lib pcm.c: Unknown PCM\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_what_the_show_says_meanwhile_is_seen() -> None:
    code = (
        "import logging, os, run_live; from realtime.sound.portaudio import quiet_stderr; run_live.log_to_stderr('INFO')\n"
        "with quiet_stderr(): os.write(2, b'ALSA lib pcm.c: Unknown PCM\\n'); logging.warning('the renderer fails')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "the renderer fails\n"
