"""What NVIDIA's driver says of the GPUs in this machine, asked of `nvidia-smi`, which comes with it."""

import functools
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from models.errors import UserError

FIELDS: Final = ("name", "driver_version", "compute_cap", "memory.total", "memory.used", "power.draw")
COMMAND: Final = "nvidia-smi"
SETTLED: Final = 2.0  # seconds
PATIENCE: Final = 20.0  # seconds: a driver that starts takes some


@dataclass(frozen=True)
class Gpu:
    """One GPU; None for what its driver does not say."""

    name: str
    driver: str
    capability: str
    memory_mib: int | None
    used_mib: int | None
    milliwatts: int | None


def gpus() -> list[Gpu]:
    """Empty where there is no NVIDIA driver. Raises UserError where there is one that does not answer."""
    return [] if (process := _ask()) is None else _read(process)


@functools.cache
def gpus_at_start() -> list[Gpu]:
    """As `gpus`, asked once: which there are and by which driver, in programs that want their first frame soon."""
    return gpus()


def first_gpu_while(work: Callable[[], object]) -> Gpu | None:
    """What the first GPU says while `work` is done again and again, at least once; None without one that answers.

    It is asked once it has worked for `SETTLED` seconds: drivers tell the mean power of about the last second.
    """
    work()
    if shutil.which(COMMAND) is None:
        return None
    begun = time.monotonic()
    while time.monotonic() - begun < SETTLED:
        work()
    process = _ask()
    if process is None:
        return None
    give_up = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < give_up:
        work()
    try:
        return next(iter(_read(process)), None)
    except UserError:
        return None


def _ask() -> subprocess.Popen[str] | None:
    command = [COMMAND, f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError:
        return None


def _read(process: subprocess.Popen[str]) -> list[Gpu]:
    try:
        text, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise UserError(f"nvidia-smi did not answer within {PATIENCE:.0f} s; restart the machine, or its driver") from error
    rows = [[value.strip() for value in line.split(",")] for line in text.splitlines()]
    if process.returncode or any(len(row) != len(FIELDS) for row in rows):
        reason = " ".join(text.split())[:200]
        raise UserError(f"the NVIDIA driver does not answer ({reason}); install the driver anew, or restart the machine")
    return [
        Gpu(name, driver, capability, _whole(memory), _whole(used), _whole(watts, 1000))
        for name, driver, capability, memory, used, watts in rows
    ]


def _whole(text: str, factor: int = 1) -> int | None:
    """Drivers write "[N/A]" and the like for what they do not measure."""
    try:
        return round(float(text) * factor)
    except ValueError:
        return None
