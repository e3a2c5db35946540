"""A screen counts only where its server lets this user in: Qt ends the program where it does not."""

import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import need

from realtime.outputs import screen as module
from realtime.outputs.screen import has_screen

COOKIE = bytes(range(16))


def authority(cookie: bytes, display: bytes = b"") -> bytes:
    """An entry of an authority file, for any address."""
    fields = (b"host", display, b"MIT-MAGIC-COOKIE-1", cookie)
    return struct.pack(">H", 0xFFFF) + b"".join(struct.pack(">H", len(field)) + field for field in fields)


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An X server that wants COOKIE; yields the user's authority file, which is not there yet."""
    need("Xvfb")
    (tmp_path / "server").write_bytes(authority(COOKIE))
    reader, writer = os.pipe()
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-auth", str(tmp_path / "server")], pass_fds=[writer], stderr=subprocess.DEVNULL
    )
    os.close(writer)
    with os.fdopen(reader) as pipe:
        monkeypatch.setenv("DISPLAY", f":{pipe.readline().strip()}")
    monkeypatch.setenv("XAUTHORITY", str(tmp_path / "user"))
    yield tmp_path / "user"
    process.kill()
    process.wait()


def test_a_server_that_refuses_is_no_screen(guarded: Path) -> None:
    assert not has_screen()
    guarded.write_bytes(authority(bytes(16)))
    assert not has_screen()
    guarded.write_bytes(authority(bytes(16)) + authority(COOKIE, b"12345"))
    assert not has_screen()


def test_a_server_that_admits_is_one(guarded: Path) -> None:
    display = os.environ["DISPLAY"].removeprefix(":").encode()
    guarded.write_bytes(authority(bytes(16)) + authority(COOKIE, display))
    assert has_screen()


def test_an_open_server_needs_no_cookie(screen: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DISPLAY", screen)
    monkeypatch.setenv("XAUTHORITY", str(tmp_path / "nothing"))
    assert has_screen()
    monkeypatch.setenv("DISPLAY", ":54321")
    assert not has_screen()


@given(st.binary(max_size=100))
def test_any_authority_file_can_be_read(data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.Path, "read_bytes", lambda _: data)
        assert all(isinstance(cookie, bytes) for cookie in module._cookies(b"0"))
