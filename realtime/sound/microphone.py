"""A live microphone through PortAudio: the callback copies, counts and returns; a watcher brings a lost device back."""

import contextlib
import logging
import threading
from collections.abc import Mapping
from typing import Final

import numpy as np
import pyaudio
import soxr

from models.errors import UserError
from realtime.clock import Clock
from realtime.sound.audible import audible
from realtime.sound.portaudio import Device, choose_input, input_devices, open_portaudio, quiet_stderr
from realtime.sound.ring import Ring

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 0.25
"""Seconds between looks at the device."""
SILENT_LOOKS: Final = 20
"""Looks in a row without a new block after which a device that calls itself active counts as lost, 5 s: a sound server that
starts takes one, a Bluetooth headset some. Looks and not seconds: where the machine is too busy for blocks, it is for looks."""
RETRY_EVERY: Final = 2.0
"""Seconds between attempts to open it again."""


class Microphone:
    """The device `wanted` ("" for the default, a number, or part of a name); `UserError` where it does not exist or open.

    `health` names the device while it is lost. When it comes back, its samples go on in the same ring, at its rate and with its
    channels. Where a default was asked for and another device is that now, it takes over and is named; any other never does.
    """

    finished = False

    def __init__(self, wanted: str, clock: Clock, block_seconds: float = 0.02) -> None:
        self._wanted, self._clock, self._block_seconds = wanted, clock, block_seconds
        self._audio = open_portaudio()
        try:
            self._device: Device = choose_input(input_devices(self._audio), wanted)
        except Exception:
            self._audio.terminate()
            raise
        self.ring = Ring(self._device.rate, min(2, self._device.channels))
        self._stream: pyaudio.Stream | None = None
        self._overruns = 0
        self._blocks = 0
        self._blocks_seen = self._silent_looks = 0  # at the last look
        self._lost = False
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="microphone", daemon=True)

    @property
    def description(self) -> str:
        """The device and its rate, for people."""
        return f"microphone {self._device.name!r} ({self._device.host}, {self.ring.rate} Hz)"

    @property
    def health(self) -> str:
        return f"{self.description} is lost" if self._lost else ""

    @property
    def overruns(self) -> int:
        return self._overruns

    def start(self) -> None:
        """Open the device and record. Raises `UserError` where PortAudio refuses."""
        try:
            self._open()
        except OSError as error:
            raise UserError(
                f"{self.description} cannot be opened ({error}); close what else uses it, or choose another"
            ) from error
        self._watcher.start()

    def close(self) -> None:
        if self._stop.is_set():
            return
        self._stop.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self._close_device()

    def _open(self) -> None:
        try:
            self._open_at(self.ring.rate)
        except OSError:
            # What took over, or came back set up anew, may know another rate only: not every system changes it by itself.
            if self._device.rate == self.ring.rate:
                raise
            self._open_at(self._device.rate)
        self._silent_looks = 0

    def _open_at(self, rate: int) -> None:
        self._channels = min(self.ring.channels, self._device.channels)
        same = rate == self.ring.rate
        self._resampler = None if same else soxr.ResampleStream(rate, self.ring.rate, self._channels, dtype="float32")
        with quiet_stderr():
            self._stream = self._audio.open(
                rate=rate,
                channels=self._channels,
                format=pyaudio.paFloat32,
                input=True,
                input_device_index=self._device.index,
                frames_per_buffer=round(self._block_seconds * rate),
                stream_callback=self._callback,
            )

    def _callback(self, data: bytes | None, n: int, times: Mapping[str, float], status: int) -> tuple[None, int]:
        # PortAudio's own thread: copy, count, change the rate where it must be, return. Much more and the device loses sound.
        now = self._clock.now()
        self._blocks += 1
        self._overruns += bool(status & pyaudio.paInputOverflow)
        if data:
            block = audible(np.frombuffer(data, np.float32).reshape(-1, self._channels))
            if self._resampler is not None:
                block = self._resampler.resample_chunk(block)
            self.ring.write(np.broadcast_to(block, (len(block), self.ring.channels)), now)
        return None, pyaudio.paContinue

    def _watch(self) -> None:
        while not self._stop.wait(RETRY_EVERY if self._lost else LOOK_EVERY):
            if self._lost:
                self._try_again()
            else:
                self._look()

    def _look(self) -> None:
        self._silent_looks = 0 if self._blocks != self._blocks_seen else self._silent_looks + 1
        self._blocks_seen = self._blocks
        if self._silent_looks >= SILENT_LOOKS or not self._is_active():
            self._lost = True
            log.warning("%s is lost; the face rests, and sound comes back when the device does", self.description)

    def _is_active(self) -> bool:
        """False as soon as PortAudio gave the device up, which it does where the system tells it; not all systems do."""
        try:
            return self._stream is not None and bool(self._stream.is_active())
        except OSError:
            return False

    def _try_again(self) -> None:
        try:
            self._close_device()
            # Only a PortAudio that is initialised anew sees devices that came after it.
            self._audio = open_portaudio()
            before, self._device = self._device, self._found_again()
            self.ring.restart_time()
            self._open()
        except (OSError, UserError) as error:
            log.debug("not back yet: %s", error)
            return
        self._lost = False
        if self._device.name == before.name:
            log.warning("%s is back", self.description)
        else:
            log.warning("%s took over from %r, which is gone", self.description, before.name)

    def _found_again(self) -> Device:
        """The device that was lost, whatever its number is now; else the default where that was wanted. Raises `UserError`."""
        devices = input_devices(self._audio)
        same = [device for device in devices if (device.name, device.host) == (self._device.name, self._device.host)]
        if len(same) == 1:
            return same[0]
        if self._wanted.isdecimal():  # numbers are dealt anew
            raise UserError(f"{self.description} is not there")
        return choose_input(devices, self._wanted)

    def _close_device(self) -> None:
        stream, self._stream = self._stream, None
        with quiet_stderr():
            for close in ([stream.close] if stream else []) + [self._audio.terminate]:
                with contextlib.suppress(OSError):  # a device that is gone need not close well
                    close()
