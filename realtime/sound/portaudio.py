"""PortAudio without its noise: devices found by number or name, and no page of ALSA errors on the terminal."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import pyaudio

from models.errors import UserError

log = logging.getLogger(__name__)


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send what C libraries write to stderr to the debug log: ALSA and JACK tell 80 lines about devices that are not there."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as noise:
        stderr = os.dup(2)
        try:
            os.dup2(noise.fileno(), 2)
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            noise.seek(0)
            for line in noise.read().decode(errors="replace").splitlines():
                log.debug("%s", line)


def open_portaudio() -> pyaudio.PyAudio:
    """A fresh PortAudio, which sees the devices of this moment; the caller terminates it."""
    # Without this, PulseAudio hands blocks over in bursts of a tenth of a second and more.
    os.environ.setdefault("PULSE_LATENCY_MSEC", "20")
    with quiet_stderr():
        return pyaudio.PyAudio()


@dataclass(frozen=True)
class Device:
    """A sound device that can record."""

    index: int
    name: str
    host: str
    channels: int
    rate: int
    is_default: bool


def input_devices(audio: pyaudio.PyAudio) -> list[Device]:
    """All devices that can record, in PortAudio's order."""
    try:
        default = int(audio.get_default_input_device_info()["index"])
    except OSError:  # PortAudio's way to say that there is none
        default = -1
    found = []
    for index in range(audio.get_device_count()):
        info = audio.get_device_info_by_index(index)
        if int(info["maxInputChannels"]) > 0:
            host = str(audio.get_host_api_info_by_index(int(info["hostApi"]))["name"])
            channels, rate = int(info["maxInputChannels"]), int(info["defaultSampleRate"])
            found.append(Device(index, str(info["name"]), host, channels, rate, index == default))
    return found


def choose_input(devices: list[Device], wanted: str) -> Device:
    """The device meant by `wanted`: "" for the default, a number, or part of a name that fits one device only.

    Raises `UserError` naming the devices there are; never takes another silently.
    """
    names = ", ".join(f"{device.index} {device.name!r}" for device in devices) or "none"
    if not wanted:
        for device in devices:
            if device.is_default:
                return device
        raise UserError(f"no default microphone found (devices that record: {names}); connect one, or use --audio FILE or demo")
    exact = [device for device in devices if wanted in (str(device.index), device.name)]
    fitting = exact or [device for device in devices if wanted.casefold() in device.name.casefold()]
    if len(fitting) == 1:
        return fitting[0]
    count = "no" if not fitting else "more than one"
    raise UserError(f"{count} recording device fits {wanted!r}; name one of: {names}")
