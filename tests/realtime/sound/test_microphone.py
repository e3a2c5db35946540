"""When a microphone counts as lost: at once where its stream has ended, and only after a long silence where it has not."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from realtime.clock import MonotonicClock
from realtime.sound import microphone as module
from realtime.sound.microphone import SILENT_LOOKS, Microphone
from realtime.sound.portaudio import Device


class Stream:
    active = True

    def __init__(self, callback: Callable[..., object]) -> None:
        self.callback = callback

    def is_active(self) -> bool:
        return self.active

    def close(self) -> None: ...

    def give(self, value: float = 0.5, n: int = 160) -> None:
        """One mono block, as PortAudio's thread hands it over."""
        self.callback(np.full(n, value, np.float32).tobytes(), n, {}, 0)


class Audio:
    """PortAudio with one device; `streams` are those that were opened."""

    streams: list[Stream]

    def open(self, *, stream_callback: Callable[..., object], **_: Any) -> Stream:
        self.streams.append(Stream(stream_callback))
        return self.streams[-1]

    def terminate(self) -> None: ...


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> list[Stream]:
    audio = Audio()
    audio.streams = []
    monkeypatch.setattr(module, "open_portaudio", lambda: audio)
    monkeypatch.setattr(module, "input_devices", lambda _: [Device(0, "desk", "ALSA", 1, 16_000, True)])
    return audio.streams


def opened() -> Microphone:
    """Recording, but looked at only by the test: its own watcher has no time to."""
    microphone = Microphone("", MonotonicClock())
    microphone._open()
    return microphone


def test_a_stream_that_has_ended_is_lost_at_the_next_look_and_comes_back(streams: list[Stream]) -> None:
    microphone = opened()
    streams[0].give()
    microphone._look()
    assert microphone.health == ""
    streams[0].active = False
    microphone._look()
    assert "is lost" in microphone.health
    microphone._try_again()
    assert microphone.health == ""
    streams[1].give()
    microphone._look()
    assert microphone.health == ""
    assert microphone.ring.written == 320


def test_a_busy_machine_that_gives_no_block_for_some_looks_loses_nothing(streams: list[Stream]) -> None:
    microphone = opened()
    for _ in range(3):
        for _ in range(SILENT_LOOKS - 1):
            microphone._look()
            assert microphone.health == ""
        streams[0].give()
        microphone._look()
    assert len(streams) == 1


def test_a_stream_that_calls_itself_active_and_gives_nothing_is_lost_in_the_end(streams: list[Stream]) -> None:
    microphone = opened()
    streams[0].give()
    for _ in range(SILENT_LOOKS + 1):
        microphone._look()
    assert "is lost" in microphone.health
    microphone._try_again()
    microphone._look()
    assert microphone.health == "", "a device just opened has the whole time again"


def test_a_block_that_holds_no_numbers_is_silence(streams: list[Stream]) -> None:
    microphone = opened()
    cursor = microphone.ring.cursor()
    streams[0].give(float("nan"))
    assert cursor.read().tolist() == [[0.0]] * 160


def test_a_device_that_fails_while_it_is_closed_or_looked_for_comes_back(
    streams: list[Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Audio:
        raise OSError("unanticipated host error")

    microphone = opened()
    microphone._lost = True
    with monkeypatch.context() as patch:
        patch.setattr(streams[0], "close", fails)
        patch.setattr(Audio, "terminate", fails)
        patch.setattr(module, "open_portaudio", fails)
        for _ in range(3):
            microphone._try_again()
            assert "is lost" in microphone.health
    microphone._try_again()
    assert microphone.health == ""
    assert len(streams) == 2


def lost(wanted: str, monkeypatch: pytest.MonkeyPatch, *now: Device) -> Microphone:
    """That was opened, lost, and looked for among the devices there are `now`."""
    before = [Device(0, "desk", "ALSA", 1, 16_000, True), Device(1, "stage", "ALSA", 1, 16_000, False)]
    monkeypatch.setattr(module, "input_devices", lambda _: before)
    microphone = Microphone(wanted, MonotonicClock())
    microphone._open()
    microphone._lost = True
    monkeypatch.setattr(module, "input_devices", lambda _: list(now))
    microphone._try_again()
    return microphone


def test_a_number_never_means_another_device(streams: list[Stream], monkeypatch: pytest.MonkeyPatch) -> None:
    desk, other = Device(0, "desk", "ALSA", 1, 16_000, True), Device(1, "capture", "ALSA", 1, 16_000, False)
    assert "'stage'" in lost("1", monkeypatch, desk, other).health
    moved = lost("1", monkeypatch, desk, other, Device(2, "stage", "ALSA", 1, 16_000, False))
    assert moved.health == "" and moved._device.index == 2


def test_another_default_takes_over_by_name(
    streams: list[Stream], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    microphone = lost("", monkeypatch, Device(0, "laptop", "ALSA", 1, 16_000, True))
    assert microphone.health == "" and "'laptop'" in microphone.description
    assert "'laptop'" in caplog.text and "took over from 'desk'" in caplog.text


def test_the_lost_default_is_taken_again_where_it_is_no_default_any_more(
    streams: list[Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = Device(0, "laptop", "ALSA", 1, 16_000, True), Device(1, "desk", "ALSA", 1, 16_000, False)
    assert "'desk'" in lost("", monkeypatch, *both).description


def test_what_takes_over_may_have_fewer_channels_and_know_another_rate_only(
    streams: list[Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "input_devices", lambda _: [Device(0, "desk", "ALSA", 2, 16_000, True)])
    microphone = opened()
    monkeypatch.setattr(module, "input_devices", lambda _: [Device(0, "laptop", "ALSA", 1, 48_000, True)])
    whole = Audio.open

    def open_at_its_rate(self: Audio, *, rate: int, channels: int, **rest: Any) -> Stream:
        if rate != 48_000 or channels != 1:
            raise OSError("invalid sample rate")
        return whole(self, **rest)

    monkeypatch.setattr(Audio, "open", open_at_its_rate)
    cursor = microphone.ring.cursor()
    microphone._lost = True
    microphone._try_again()
    assert microphone.health == ""
    for _ in range(100):
        streams[-1].give(0.5, n=960)  # 20 ms
    heard = cursor.read()
    assert heard.shape[1] == 2
    assert 31_000 < len(heard) <= 32_000  # two seconds, less the filter's few milliseconds
    np.testing.assert_allclose(heard[1000:-1000], 0.5, atol=1e-3)
