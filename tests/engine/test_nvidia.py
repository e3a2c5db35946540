"""What the driver says is read as it is, what it does not say is None, and no driver is no fault."""

import stat
import sys
from pathlib import Path

import pytest

from engine import nvidia
from engine.nvidia import Gpu, first_gpu_while, gpus
from models.errors import UserError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for nvidia-smi is a shell script")


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where to write the script that stands in for `nvidia-smi`."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(nvidia, "SETTLED", 0.05)
    return tmp_path / "nvidia-smi"


def says(driver: Path, text: str, code: int = 0) -> None:
    driver.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {code}\n")
    driver.chmod(driver.stat().st_mode | stat.S_IXUSR)


def test_without_a_driver_there_is_no_gpu(driver: Path) -> None:
    calls: list[int] = []
    assert gpus() == []
    assert first_gpu_while(lambda: calls.append(1)) is None
    assert calls == [1]


def test_what_the_driver_says_is_read(driver: Path) -> None:
    says(driver, "NVIDIA GeForce RTX 4070 Laptop GPU, 580.95, 8.9, 8188, 210, 35.27\nTesla T4, 580.95, 7.5, 15360, [N/A], [N/A]")
    first = Gpu("NVIDIA GeForce RTX 4070 Laptop GPU", "580.95", "8.9", 8188, 210, 35270)
    assert gpus() == [first, Gpu("Tesla T4", "580.95", "7.5", 15360, None, None)]
    begun: list[bool] = []
    assert first_gpu_while(lambda: begun.append((driver.parent / "asked").exists())) == first
    assert not begun[0]


@pytest.mark.parametrize(("text", "code"), [("couldn't communicate with the NVIDIA driver", 9), ("No devices were found", 0)])
def test_a_driver_that_does_not_answer_is_said_with_its_words(driver: Path, text: str, code: int) -> None:
    says(driver, text, code)
    with pytest.raises(UserError, match=text):
        gpus()
    assert first_gpu_while(lambda: None) is None


def test_a_driver_that_hangs_is_given_up(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.write_text("#!/bin/sh\nexec sleep 60\n")
    driver.chmod(0o755)
    monkeypatch.setattr(nvidia, "PATIENCE", 0.2)
    with pytest.raises(UserError, match="did not answer"):
        gpus()
    assert first_gpu_while(lambda: None) is None
