"""Is there a screen? Asked before OpenCV is, which ends the whole program where there is none."""

import os
import socket
import sys


def has_screen() -> bool:
    """True where a window can be opened: on Windows and macOS, or where the X server named by DISPLAY answers."""
    if sys.platform in ("win32", "darwin"):
        return True
    host, _, display = os.environ.get("DISPLAY", "").rpartition(":")
    number = display.partition(".")[0]
    if not number.isdecimal():
        return False
    if host in ("", "unix"):
        # Linux X servers listen on an abstract socket as well as on a file; one of them is enough.
        path = f"/tmp/.X11-unix/X{number}"
        return any(_answers(socket.AF_UNIX, address) for address in (path, "\0" + path))
    return _answers(socket.AF_INET, (host, 6000 + int(number)))


def _answers(family: socket.AddressFamily, address: str | tuple[str, int]) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(address)
        except OSError:
            return False
        return True
