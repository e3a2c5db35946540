"""Is there a screen? Asked before OpenCV is, which ends the whole program where there is none, or where it is refused."""

import os
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_COOKIE: Final = b"MIT-MAGIC-COOKIE-1"
_ADMITTED: Final = b"\x01"


def has_screen() -> bool:
    """True where a window can be opened: on Windows and macOS, or where the X server named by DISPLAY lets this user in."""
    if sys.platform in ("win32", "darwin"):
        return True
    host, _, display = os.environ.get("DISPLAY", "").rpartition(":")
    number = display.partition(".")[0]
    if not number.isdecimal():
        return False
    if host in ("", "unix"):
        # Linux X servers listen on an abstract socket as well as on a file; one of them is enough.
        path = f"/tmp/.X11-unix/X{number}"
        places: list[tuple[socket.AddressFamily, str | tuple[str, int]]] = [
            (socket.AF_UNIX, path),
            (socket.AF_UNIX, "\0" + path),
        ]
    else:
        places = [(socket.AF_INET, (host, 6000 + int(number)))]
    cookies = [*_cookies(number.encode()), b""]
    return any(_admits(family, address, cookie) for family, address in places for cookie in cookies)


def _admits(family: socket.AddressFamily, address: str | tuple[str, int], cookie: bytes) -> bool:
    """Whether the server there answers to the X11 protocol's first message with success."""
    name = _COOKIE if cookie else b""
    greeting = b"l\0" + struct.pack("<HHHHxx", 11, 0, len(name), len(cookie)) + _padded(name) + _padded(cookie)
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(address)
            probe.sendall(greeting)
            return probe.recv(1) == _ADMITTED
        except OSError:
            return False


def _cookies(number: bytes) -> Iterator[bytes]:
    """Those of the user's authority file that may fit display `number`; none where it can't be read."""
    try:
        data = Path(os.environ.get("XAUTHORITY") or Path.home() / ".Xauthority").read_bytes()
    except (OSError, RuntimeError):  # RuntimeError: no home
        return
    at = 0
    try:
        while at < len(data):
            at += 2  # the kind of address
            fields = []
            for _ in range(4):  # address, number of the display, name of the method, its data
                (length,) = struct.unpack_from(">H", data, at)
                fields.append(data[at + 2 : at + 2 + length])
                at += 2 + length
            _, display, method, cookie = fields
            if method == _COOKIE and display in (b"", number):
                yield cookie
    except struct.error:  # a damaged file
        return


def _padded(text: bytes) -> bytes:
    return text + bytes(-len(text) % 4)
