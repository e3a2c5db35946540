"""A voice plays into a real sound server, the program records it, and oscdump receives what the face does."""

import re
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from parts import SoundServer

from realtime.sound.file import DEMO_VOICE

pytestmark = pytest.mark.audio

SMALL_GENERATOR = Path(__file__).parents[1] / "models" / "stylegan" / "reference" / "rosinality-64.pt"
MOST_PLAYS = 8


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def voice_wav(tmp_path: Path) -> Path:
    """The bundled voice as paplay takes it."""
    path = tmp_path / "voice.wav"
    with av.open(str(DEMO_VOICE)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("pcm_s16le", rate=48_000, layout="mono")
        resampler = av.AudioResampler(format="s16", layout="mono", rate=48_000)
        for frame in source.decode(audio=0):
            for part in resampler.resample(frame):
                part.pts = None
                target.mux(stream.encode(part))
        target.mux(stream.encode(None))
    return path


class OscDump:
    """liblo's oscdump: a receiver that this project did not write."""

    def __init__(self, folder: Path, port: int) -> None:
        self._file = (folder / "osc.txt").open("w+")
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", "oscdump", "-L", str(port)], stdout=self._file, stderr=subprocess.STDOUT
        )

    def values(self, address: str) -> list[float]:
        """Every first number received at `address`, in order."""
        self._file.seek(0)
        return [float(value) for value in re.findall(rf" {re.escape(address)} [ifs]+ ([-\d.e+]+)", self._file.read())]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def play_until(server: SoundServer, voice: Path, seen: Callable[[], dict[str, bool]]) -> None:
    """Play the voice, again where the machine was too busy to listen to all of it, until everything was seen."""
    for _ in range(MOST_PLAYS):
        server.play(voice).wait()
        if all(seen().values()):
            return
    raise AssertionError(seen())


def test_a_voice_through_the_sound_server_moves_the_face_and_a_lost_microphone_comes_back(
    program, sound_server, voice_wav: Path, tmp_path: Path
) -> None:
    port = free_port()
    dump = OscDump(tmp_path, port)
    try:
        show = program(
            *[
                "--audio",
                "mic:pulse",
                "--no-window",
                "--osc",
                f"127.0.0.1:{port}",
                "--stats",
                "stats.json",
                "--set",
                "expression.life=0",
                # Drawing is proven elsewhere; the shipped face at full speed would leave hearing too little of a busy machine.
                *["--generator", str(SMALL_GENERATOR), "--backend", "openvino", "--set", "picture.fps=20"],
            ],
            **sound_server.environment,
        )
        show.wait_for("sound: microphone 'pulse'", 300)
        assert "ALSA lib" not in show.log

        until(lambda: bool(dump.values("/s2e/heartbeat")), 60, "no heartbeat")
        assert max(dump.values("/s2e/speaking"), default=0) == 0
        assert max(dump.values("/s2e/rig/mouth_open"), default=0) < 0.05

        def voice_is_answered() -> dict[str, bool]:
            shown = [max(dump.values(f"/s2e/emotion/{name}")) for name in ("angry", "fear", "happy", "sad")]
            return {
                "speaking": max(dump.values("/s2e/speaking")) == 1,
                "mouth": max(dump.values("/s2e/rig/mouth_open")) > 0.5,
                "level": max(dump.values("/s2e/level")) > 0.5,
                "two emotions": sum(value > 0.5 for value in shown) >= 2,
            }

        play_until(sound_server, voice_wav, voice_is_answered)
        assert dump.values("/s2e/frame")[-1] > 0

        sound_server.stop()
        show.wait_for("is lost")
        until(lambda: dump.values("/s2e/emotion/neutral")[-1] > 0.95, 30, "the face did not come to rest")
        frames = dump.values("/s2e/frame")[-1]
        sound_server.start()
        show.wait_for("is back")
        before = len(dump.values("/s2e/speaking"))
        play_until(sound_server, voice_wav, lambda: {"speaking again": max(dump.values("/s2e/speaking")[before:]) == 1})
        assert show.log.count("is lost") == show.log.count("is back") == 1, show.log
        assert dump.values("/s2e/frame")[-1] > frames
        assert show.end() == 0, show.log
        assert "Traceback" not in show.log
    finally:
        dump.close()


def test_an_unknown_microphone_is_one_line_and_exit_code_2(program, sound_server) -> None:
    show = program("--audio", "mic:theremin", "--no-window", **sound_server.environment)
    assert show.process.wait(60) == 2
    assert re.fullmatch(r"error: no recording device fits 'theremin'; name one of: .*'pulse'.*\n", show.log)


def test_devices_are_listed(program, sound_server) -> None:
    show = program("--list-devices", **sound_server.environment)
    assert show.process.wait(60) == 0
    assert "pulse" in show.log
