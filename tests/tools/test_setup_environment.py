"""What the set-up asks of a machine before anything is installed."""

import socket
import sys
from pathlib import Path

import pytest

from tools import setup_environment
from tools.setup_environment import CPU_INDEX, answers, main


def refused(*_: object, **__: object) -> None:
    raise OSError("no way out")


def test_behind_a_proxy_an_index_is_pips_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", refused)
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert not answers(CPU_INDEX)
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert answers(CPU_INDEX)


def test_on_macos_a_missing_portaudio_is_named_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(sys, "argv", ["setup_environment.py"])
    monkeypatch.setattr(setup_environment, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(setup_environment, "is_there", lambda sign: False)
    monkeypatch.setattr(setup_environment, "make_venv", lambda: pytest.fail("something was made"))
    assert main() == 2
    assert capsys.readouterr().err == "error: missing from this system: PortAudio; run: brew install portaudio\n"
