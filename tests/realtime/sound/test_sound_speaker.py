"""The loudspeaker and the face stay together: what waits is neither used up for good nor ever more than twice the reserve."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from realtime.sound import speaker as module
from realtime.sound.speaker import BUFFERED, Speaker

RATE = 8000
N = 160  # 20 ms
RESERVE = round(BUFFERED * RATE)


class Audio:
    """PortAudio with one output, which takes sound when the test says so."""

    callback: Callable[..., tuple[bytes, int]]

    def open(self, *, stream_callback: Callable[..., tuple[bytes, int]], **_: Any) -> "Audio":
        self.callback = stream_callback
        return self

    def get_output_latency(self) -> float:
        return 0.01

    def take(self, n: int = N) -> np.ndarray:
        data, _ = self.callback(None, n, {}, 0)
        assert len(data) == 4 * n
        return np.frombuffer(data, np.float32)


@pytest.fixture
def audio(monkeypatch: pytest.MonkeyPatch) -> Audio:
    audio = Audio()
    monkeypatch.setattr(module, "open_portaudio", lambda: audio)
    return audio


class Counting:
    """Plays 1, 2, 3 ...: what comes out says what was left out."""

    def __init__(self, n: int = N) -> None:
        self.speaker = Speaker(RATE, 1, n / RATE)
        self.last = 0

    def play(self, n: int = N) -> None:
        self.speaker.play(np.arange(self.last + 1, self.last + n + 1, dtype=np.float32)[:, None])
        self.last += n


def test_all_is_heard_behind_the_reserve(audio: Audio) -> None:
    player = Counting()
    for _ in range(20):
        assert not audio.take().any(), "a device that runs before the sound does not use up the reserve"
    heard = []
    for _ in range(50):
        player.play()
        heard.append(audio.take())
    late = RESERVE - N  # a block was whole before it was played
    np.testing.assert_array_equal(np.concatenate(heard), np.maximum(np.arange(50 * N) - late + 1, 0))


@pytest.mark.parametrize("seconds", [0.005, 0.06, 0.1, 0.2])
def test_blocks_of_any_length_are_heard_whole(audio: Audio, seconds: float) -> None:
    n = round(seconds * RATE)
    player, heard, due = Counting(n), [], 0
    for taken in range(0, 5 * RATE, 40):  # a device that takes 5 ms at a time
        if taken >= due:
            player.play(n)
            due += n
        heard.append(audio.take(40))
    sound = np.concatenate(heard)
    first = np.argmax(sound > 0)
    np.testing.assert_array_equal(sound[first:], np.arange(1, len(sound) - first + 1))


def test_a_slow_device_leaves_out_a_reserve_now_and_then_and_plays_the_rest_in_order(audio: Audio) -> None:
    player, heard, late = Counting(), [], []
    for _ in range(2000):
        player.play()
        heard.append(audio.take(N - 1))
        late.append(player.last - heard[-1][-1])
    assert max(late) <= 2 * RESERVE + N
    steps = np.diff(np.concatenate(heard))
    gaps = steps[steps > 1] - 1
    assert len(gaps) == 2000 // RESERVE
    np.testing.assert_allclose(gaps, RESERVE, atol=N)


def test_a_fast_device_pauses_now_and_then_and_does_not_click_for_ever(audio: Audio) -> None:
    player, heard = Counting(), []
    for _ in range(2000):
        player.play()
        heard.append(audio.take(N + 1))
    sound = np.concatenate(heard)
    pauses = np.count_nonzero(np.diff((sound == 0).astype(int)) == 1)
    assert 0 < pauses <= 2000 // (RESERVE - 2 * N) + 1
    np.testing.assert_array_equal(np.diff(sound[sound > 0]), 1)


def test_sound_that_comes_late_and_all_at_once_is_not_late_from_then_on(audio: Audio) -> None:
    player = Counting()
    for _ in range(10):
        player.play()
        audio.take()
    for _ in range(25):
        late = audio.take()
    assert not late.any()
    player.play(26 * N)
    assert player.last - audio.take()[0] == RESERVE - 1


def test_a_sound_shorter_than_the_reserve_is_heard(audio: Audio) -> None:
    Counting().play(N // 2)
    heard = np.concatenate([audio.take() for _ in range(10)])
    np.testing.assert_array_equal(heard[heard > 0], np.arange(1, N // 2 + 1))
    assert np.argmax(heard > 0) == RESERVE - N // 2


def test_a_device_that_takes_more_at_a_time_than_the_reserve_plays_all(audio: Audio) -> None:
    player, heard = Counting(), []
    for _ in range(20):
        player.play(2 * RESERVE)
        heard.append(audio.take(2 * RESERVE))
    np.testing.assert_array_equal(np.concatenate(heard), np.arange(1, 20 * 2 * RESERVE + 1))
