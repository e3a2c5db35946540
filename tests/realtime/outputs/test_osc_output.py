"""OSC out: the table of docs/osc.md, as packets that a host can read."""

import errno
import socket
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle import OscBundle

from models.errors import UserError
from models.labels import EMOTIONS
from realtime.outputs.osc import BUNDLE_BYTES, OscOutput, bundles, frame_messages, milliseconds, parse_target
from realtime.settings import Osc
from realtime.values import Controls, Frame, Heard, Prosody


def frame(t: float = 1.0, emotion: int = 3, *, onset: bool = False) -> Frame:
    weights = np.eye(5, dtype=np.float32)[emotion]
    heard = Heard(t, weights, 0.8, True, 0.5, 0.25)
    controls = Controls(t, weights, 1.0, {"mouth_open": 0.5}, heard, Prosody(t, -30.0, 440.0, 0.9), onset)
    return Frame(7, controls, t - 0.05, t, np.zeros((4, 4, 3), np.uint8))


def values(packet: bytes) -> dict[str, list[object]]:
    return {message.address: list(message.params) for message in OscBundle(packet)}


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def test_a_frame_says_what_is_shown_and_heard() -> None:
    said = dict(frame_messages(frame(), 1.02))
    assert said["/s2e/emotion/happy"] == (1.0,)
    assert said["/s2e/heard/happy"] == (1.0,)
    assert said["/s2e/level"] == (0.5,)
    assert said["/s2e/pitch/note"] == (69.0,)
    assert said["/s2e/speaking"] == (1,)
    number, t_audio, latency = said["/s2e/frame"]
    assert (number, t_audio) == (7, 950)
    assert latency == pytest.approx(70, abs=1e-6)
    assert "/s2e/onset" not in said
    assert dict(frame_messages(frame(onset=True), 1.0))["/s2e/onset"] == (1,)


def test_label_and_state_are_sent_on_change_and_every_second(receiver: socket.socket) -> None:
    output = OscOutput(Osc(targets=[f"127.0.0.1:{receiver.getsockname()[1]}"]))
    state = {"/s2e/health": ("ok",)}
    said = []
    for t, emotion, health in [(0.0, 3, "ok"), (0.5, 3, "ok"), (0.6, 4, "ok"), (0.7, 4, "microphone"), (1.0, 4, "microphone")]:
        output.step(frame(t, emotion), t, state | {"/s2e/health": (health,)})
        received = values(receiver.recv(65536))
        said.append((received.get("/s2e/label"), received.get("/s2e/health")))
    output.close()
    assert said == [
        (["happy"], ["ok"]),
        (None, None),
        (["sad"], None),
        (None, ["microphone"]),
        (["sad"], ["microphone"]),
    ]


def test_a_flat_alias_stands_beside_each_address(receiver: socket.socket) -> None:
    output = OscOutput(Osc(targets=[f"127.0.0.1:{receiver.getsockname()[1]}"], flat=True))
    output.step(frame(), 1.0, {})
    received: dict[str, list[object]] = {}
    receiver.settimeout(0.5)
    while "/s2e_rig_mouth_open" not in received:
        received |= values(receiver.recv(65536))
    assert received["/s2e_emotion_happy"] == received["/s2e/emotion/happy"]
    output.close()


@given(st.lists(st.tuples(st.sampled_from([f"/s2e/heard/{name}" for name in EMOTIONS]), st.text(max_size=200)), max_size=60))
def test_no_bundle_is_larger_than_a_packet_and_none_of_it_is_lost(texts: list[tuple[str, str]]) -> None:
    clean = [(address, (text.replace("\0", ""),)) for address, text in texts]
    packets = list(bundles(clean))
    assert all(len(packet) <= BUNDLE_BYTES for packet in packets)
    assert [(m.address, tuple(m.params)) for packet in packets for m in OscBundle(packet)] == clean


def test_an_unreachable_target_is_counted_and_the_show_goes_on() -> None:
    output = OscOutput(Osc(targets=["255.255.255.255:9"]))
    for t in (0.0, 0.1):
        output.step(frame(t), t, {})
    assert output.failures == 2
    output.close()


def test_a_name_of_both_kinds_means_ipv4(receiver: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    port = receiver.getsockname()[1]
    answers = [
        (socket.AF_INET6, socket.SOCK_DGRAM, 17, "", ("::1", port, 0, 0)),
        (socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("127.0.0.1", port)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    output = OscOutput(Osc(targets=[f"localhost:{port}"]))
    output.step(frame(), 1.0, {})
    assert values(receiver.recv(65536))
    output.close()


def test_packets_nobody_takes_are_counted_until_somebody_listens(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        address = gone.getsockname()
    output = OscOutput(Osc(targets=[f"127.0.0.1:{address[1]}"]))
    for t in (0.0, 0.1, 0.2):
        output.step(frame(t), t, {})
    assert output.failures == 2  # of the third nothing is known yet
    assert [record.message for record in caplog.records if "nobody listens" in record.message] == [caplog.messages[0]]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
        late.bind(address)
        late.settimeout(5)
        output.step(frame(0.3), 0.3, {})
        assert values(late.recv(65536))["/s2e/frame"][1] == 250
    output.close()


@pytest.mark.parametrize(
    ("number", "broadcast", "says"),
    [
        (errno.EACCES, False, "osc.broadcast = true"),
        (errno.EACCES, True, "told by the system"),
        (errno.EPERM, False, "told by the system"),
    ],
)
def test_only_a_forbidden_broadcast_is_put_down_to_the_setting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int, broadcast: bool, says: str
) -> None:
    class Refused(socket.socket):
        def send(self, *_: object) -> int:
            raise OSError(number, "told by the system")

    monkeypatch.setattr(socket, "socket", Refused)
    output = OscOutput(Osc(targets=["127.0.0.1:9"], broadcast=broadcast))
    output.step(frame(), 1.0, {})
    output.step(frame(), 1.1, {})
    output.close()
    assert output.failures == 2
    assert len(caplog.messages) == 1 and says in caplog.messages[0]


@pytest.mark.parametrize("target", ["255.255.255.255:9", "239.1.2.3:9"])
def test_what_goes_to_many_stays_unconnected(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[object] = []

    class Watched(socket.socket):
        def send(self, *_: object) -> int:
            pytest.fail("it was connected")

        def sendto(self, _: object, address: object) -> int:
            sent.append(address)
            return 0

    monkeypatch.setattr(socket, "socket", Watched)
    output = OscOutput(Osc(targets=[target], broadcast=True))
    output.step(frame(), 1.0, {})
    output.close()
    assert sent == [(target.partition(":")[0], 9)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "localhost:",
        ":9000",
        "localhost:0",
        "localhost:65536",
        "localhost:osc",
        "a:b:c",
        pytest.param("a:" + 5000 * "1", id="5000 digits"),
    ],
)
def test_a_malformed_target_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="HOST:PORT"):
        parse_target(text)


def test_an_unknown_host_is_refused() -> None:
    with pytest.raises(UserError, match="not known"):
        OscOutput(Osc(targets=["no-such-host.invalid:9000"]))


def test_ipv6_targets_stand_in_brackets() -> None:
    assert parse_target("[::1]:9000") == ("::1", 9000)


@given(st.floats(0, 1e9))
def test_time_is_an_int32_and_wraps(t: float) -> None:
    assert 0 <= milliseconds(t) < 2**31


def test_the_state_goes_out_every_second_without_frames(receiver: socket.socket) -> None:
    output = OscOutput(Osc(targets=[f"127.0.0.1:{receiver.getsockname()[1]}"]))
    output.step(frame(0.0), 0.0, {"/s2e/health": ("ok",)})
    assert "/s2e/frame" in values(receiver.recv(65536))
    output.step(None, 0.1, {"/s2e/health": ("ok",)})
    output.step(None, 0.2, {"/s2e/health": ("the renderer fails",)})
    assert values(receiver.recv(65536)) == {"/s2e/health": ["the renderer fails"]}
    output.step(None, 1.05, {"/s2e/health": ("the renderer fails",)})
    assert values(receiver.recv(65536)) == {"/s2e/health": ["the renderer fails"]}
    output.close()
