"""Open Sound Control out: one bundle per frame to every target, state on change and every second (docs/osc.md)."""

import contextlib
import errno
import ipaddress
import logging
import socket
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from models.errors import UserError
from models.labels import EMOTIONS
from realtime.settings import Osc
from realtime.values import Frame

log = logging.getLogger(__name__)

BUNDLE_BYTES: Final = 1400
"""Largest bundle: what fits one Ethernet packet."""
STATE_EVERY: Final = 1.0
"""Seconds after which unchanged state is sent again."""
Value = int | float | str
Message = tuple[str, tuple[Value, ...]]


def parse_target(text: str) -> tuple[str, int]:
    """HOST:PORT or [IPv6]:PORT. Raises `UserError` naming what is wrong."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isdecimal() and len(port) <= 5 and 0 < int(port) < 65536):
        raise UserError(f"OSC target {text[:80]!r} is not HOST:PORT with a port of 1...65535; for example 127.0.0.1:9000")
    return host, int(port)


class OscOutput:
    """Sends to any number of targets over UDP; a target that cannot be reached is counted, named once, and tried again.

    Raises `UserError` for a target that is malformed or unknown.
    """

    def __init__(self, settings: Osc) -> None:
        self._flat = settings.flat
        self._targets = [_Target(text, settings) for text in settings.targets]
        self._state: dict[str, tuple[Value, ...]] = {}
        self._state_sent = -np.inf
        self._label = ""

    @property
    def failures(self) -> int:
        """Packets that could not be sent, or that nobody took as far as the system was told."""
        return sum(target.failures for target in self._targets)

    def step(self, frame: Frame | None, t_handed: float, state: dict[str, tuple[Value, ...]]) -> None:
        """Send what `frame` says, where there is a new one, and the state; `t_handed` is the clock's time of the hand-over,
        `state` maps addresses to values."""
        again = t_handed - self._state_sent >= STATE_EVERY
        messages: list[Message] = []
        if frame is not None:
            messages += frame_messages(frame, t_handed)
            label = EMOTIONS[int(frame.controls.emotion.argmax())]
            if again or label != self._label:
                messages += [("/s2e/label", (label,)), ("/s2e/label/index", (EMOTIONS.index(label),))]
                self._label = label
        messages += [item for item in state.items() if again or self._state.get(item[0]) != item[1]]
        self._state = dict(state)
        if again:
            self._state_sent = t_handed
        if self._flat:
            messages += [("/" + address.strip("/").replace("/", "_"), values) for address, values in messages]
        for packet in bundles(messages):
            for target in self._targets:
                target.send(packet)

    def close(self) -> None:
        """Calling it again does nothing."""
        for target in self._targets:
            target.close()


class _Target:
    def __init__(self, text: str, settings: Osc) -> None:
        self.name, self.failures, self._settings = text, 0, settings
        host, port = parse_target(text)
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            raise UserError(
                f"OSC target {text!r}: the host is not known ({error}); name an address or a host that resolves"
            ) from error
        # IPv4 first: most receivers are bound to nothing else, and no other sign of it ever comes back.
        best = min(answers, key=lambda answer: answer[0] != socket.AF_INET)
        self._family: socket.AddressFamily = best[0]
        self._address: tuple[Any, ...] = best[4]
        self._multicast = ipaddress.ip_address(str(self._address[0]).partition("%")[0]).is_multicast
        self._connected = False
        self._socket: socket.socket | None = None

    def send(self, packet: bytes) -> None:
        try:
            self._socket = self._socket or self._open()
            try:
                self._put(self._socket, packet)
            except ConnectionError:  # tells of the packet before, and this one has not been sent
                self._count("nobody listens there")
                self._put(self._socket, packet)
        except OSError as error:
            forbidden = error.errno == errno.EACCES and not self._settings.broadcast
            self._count("a broadcast address must be allowed with osc.broadcast = true" if forbidden else error)
            if not isinstance(error, BlockingIOError):
                self.close()  # a connected socket keeps to the network it was made in; the next packet gets a new one

    def close(self) -> None:
        if self._socket:
            self._socket.close()
        self._socket = None

    def _open(self) -> socket.socket:
        """Connected where that is possible: only then the system says that nobody listens."""
        opened = socket.socket(self._family, socket.SOCK_DGRAM)
        opened.setblocking(False)
        self._connected = False
        if self._multicast and self._family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, self._settings.ttl)
        elif self._multicast:
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, self._settings.ttl)
        else:
            # Before broadcast is allowed: so the system refuses what it knows for a broadcast address, by whatever netmask.
            with contextlib.suppress(OSError):
                opened.connect(self._address)
                self._connected = True
        if self._settings.broadcast:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        return opened

    def _put(self, opened: socket.socket, packet: bytes) -> None:
        if self._connected:
            opened.send(packet)
        else:
            opened.sendto(packet, self._address)

    def _count(self, reason: object) -> None:
        if not self.failures:
            log.warning("OSC to %s cannot be sent (%s); it is tried again with every frame", self.name, reason)
        self.failures += 1


def frame_messages(frame: Frame, t_handed: float) -> Iterator[Message]:
    """The messages of every frame, in the order of docs/osc.md."""
    controls, heard, prosody = frame.controls, frame.controls.heard, frame.controls.prosody
    t_audio = frame.t_audio if frame.t_audio is not None else controls.t
    yield "/s2e/frame", (frame.number % 2**31, milliseconds(t_audio), float(t_handed - t_audio) * 1000)
    for name, value in zip(EMOTIONS, controls.emotion, strict=True):
        yield f"/s2e/emotion/{name}", (float(value),)
    for i, name in enumerate(EMOTIONS):
        yield f"/s2e/heard/{name}", (float(heard.probabilities[i]) if heard else float(name == "neutral"),)
    yield "/s2e/confidence", (float(heard.confidence) if heard else 0.0,)
    yield "/s2e/speaking", (int(heard.speaking) if heard else 0,)
    if controls.onset:
        yield "/s2e/onset", (1,)
    level = max(-90.0, min(0.0, prosody.level_db)) if prosody else -90.0
    f0 = prosody.f0_hz if prosody else 0.0
    yield "/s2e/level", (float(np.clip(1 + level / 60, 0, 1)),)
    yield "/s2e/level/db", (level,)
    yield "/s2e/pitch", (float(f0),)
    yield "/s2e/pitch/note", (float(np.clip(69 + 12 * np.log2(f0 / 440), 0, 127)) if f0 > 0 else 0.0,)
    yield "/s2e/voiced", (float(prosody.voiced) if prosody else 0.0,)
    yield "/s2e/rate", (float(np.clip(prosody.rate, 0, 10)) if prosody else 0.0,)
    yield "/s2e/arousal", (float(prosody.arousal) if prosody else 0.0,)
    yield "/s2e/valence", (float(prosody.valence) if prosody else 0.0,)
    yield "/s2e/intensity", (float(heard.intensity) if heard else 0.5,)
    for name, value in sorted(controls.rig.items()):
        yield f"/s2e/rig/{name}", (float(value),)


def milliseconds(t: float) -> int:
    """Seconds on the show's clock as OSC time: milliseconds from 0, wrapping at 2^31."""
    return round(t * 1000) % 2**31


def bundles(messages: list[Message]) -> Iterator[bytes]:
    """The messages as OSC bundles with the time tag "immediately", none larger than `BUNDLE_BYTES`."""
    builder, size = OscBundleBuilder(IMMEDIATELY), 16
    for address, values in messages:
        message = _message(address, values)
        n = 4 + len(message.dgram)
        if size + n > BUNDLE_BYTES and size > 16:
            yield _finish(builder)
            builder, size = OscBundleBuilder(IMMEDIATELY), 16
        builder.add_content(message)
        size += n
    if size > 16:
        yield _finish(builder)


def _finish(builder: OscBundleBuilder) -> bytes:
    bundle: OscBundle = builder.build()
    return bytes(bundle.dgram)


def _message(address: str, values: tuple[Value, ...]) -> OscMessage:
    kinds: dict[type, Any] = {int: "i", float: "f", str: "s"}
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value, kinds[type(value)])
    return builder.build()
