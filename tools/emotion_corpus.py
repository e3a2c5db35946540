"""Corpora of acted speech for `train_emotion`: their clips, decoding, recording conditions, features on disk.

A corpus folder holds `manifest.csv` with the columns `path, corpus, speaker, emotion`, perhaps `intensity` (normal, strong),
`sentence` and listeners' `votes_angry` ... `votes_sad`; or a corpus as it is published, of those in `emotion_layouts.py`.
Emotions may be called otherwise, as in `models.labels.SYNONYMS`; columns are separated by commas, semicolons or tabs.
Every clip is kept once as it is and several times as if recorded elsewhere. A speaker has one such condition per copy
(room, noise, microphone, band, speed), because a voice's own mean is only meaningful for one microphone in one room.
"""

import math
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from models.emotion.front_end import BLOCK, HOP_LENGTH, N_FRAME_FEATURES, SAMPLE_RATE, FrontEnd, n_frames
from models.emotion.voice_activity import CHUNK, SileroNetwork, levelled, loudness_of, speech_chunks, with_context
from models.errors import UserError
from models.labels import EMOTIONS, emotion_called
from realtime.sound.audible import audible
from tools.emotion_layouts import LAYOUTS, read_names
from tools.manifest_rows import Row, read_rows
from tools.skipped import Skipped

Sound = NDArray[np.float32]
Arrays = tuple[NDArray[Any], ...]
Change = Callable[[Sound, np.random.Generator], Sound]
_COLUMNS: Final = ("path", "corpus", "speaker", "emotion")
_INTENSITIES: Final = ("normal", "strong")
_MARGIN: Final = 6  # chunks of 32 ms kept before and after the speech
_BATCH: Final = 32


@dataclass(frozen=True)
class Clip:
    """One labelled recording."""

    path: Path
    corpus: str
    speaker: str
    emotion: int
    intensity: int = -1  # 1 strong, 0 normal, -1 where the manifest does not say
    votes: tuple[float, ...] | None = None  # how many listeners heard each of the five, where they were asked
    sentence: str = field(default="", repr=False)  # what is said; finished networks are known by the rest

    @property
    def voice(self) -> tuple[str, str]:
        """Whose it is: two corpora may call different speakers the same, but speech and songs of one corpus share theirs."""
        return family(self.corpus), self.speaker


def family(corpus: str) -> str:
    """The name of a corpus without that of its songs."""
    return corpus.removesuffix("_song")


def read_corpus(place: Path) -> tuple[list[Clip], Skipped]:
    """The clips of a manifest, of a folder that holds `manifest.csv`, or of one that holds a published corpus; and what there
    can't be used. Raises UserError where there is nothing to read, or nothing is labelled with one of the five."""
    place = place.resolve()  # what was computed is found again, however the folder was called
    manifest = place / "manifest.csv" if place.is_dir() else place
    if manifest == place or manifest.exists():
        return read_manifest(manifest)
    found, skipped = read_names(place)
    if not found:
        known = ", ".join(sorted({layout.corpus for layout in LAYOUTS}))
        beside = f" ({'; '.join(skipped.lines)})" if skipped.lines else ""
        raise UserError(
            f"{place} holds neither manifest.csv nor clips of the five emotions named as in {known}{beside}; write a manifest.csv"
        )
    return [Clip(c.path, c.corpus, c.speaker, EMOTIONS.index(c.emotion), _intensity(c.intensity)) for c in found], skipped


def read_manifest(manifest: Path) -> tuple[list[Clip], Skipped]:
    """The usable rows, and the others. Raises UserError if the file can't be used at all."""
    clips, skipped, accepted = [], Skipped(), f"; expected {', '.join(EMOTIONS)}, or a usual synonym"
    for number, row in read_rows(manifest, _COLUMNS):
        path = manifest.parent / row["path"]
        emotion = emotion_called(row["emotion"])
        if emotion is None:
            skipped.add(f"line {number}: unknown emotion {row['emotion']!r} ({row['path']}){accepted}")
            accepted = ""  # said once
        elif not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises for a name that no system takes
            skipped.add(f"line {number}: no such file {path}")
        else:
            intensity = _intensity(row.get("intensity", "").casefold())
            clips.append(Clip(path, row["corpus"], row["speaker"], emotion, intensity, _votes(row), row.get("sentence", "")))
    return clips, skipped


def _intensity(said: str) -> int:
    return _INTENSITIES.index(said) if said in _INTENSITIES else -1


def _votes(row: Row) -> tuple[float, ...] | None:
    """None where nobody was asked, nobody heard one of the five, or what stands there is no number."""
    try:
        votes = tuple(float(row.get(f"votes_{name}") or 0.0) for name in EMOTIONS)
    except ValueError:
        return None
    return votes if min(votes) >= 0.0 and 0.0 < sum(votes) < math.inf else None


def decode(path: Path) -> Sound:
    """Any sound file -> 16 kHz mono, full scale 1. Raises UserError if it is no sound or is damaged."""
    try:
        # Absolute: FFmpeg takes what stands before a colon for a protocol. Titles come in any encoding, and are not read.
        with av.open(str(path.absolute()), metadata_errors="replace") as container:
            resampler = av.AudioResampler("fltp", "mono", SAMPLE_RATE)
            frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
            frames += resampler.resample(None)
    except (OSError, av.FFmpegError, IndexError, ValueError) as error:
        raise UserError(f"cannot decode {path} as sound: {error}") from error
    if not frames:
        raise UserError(f"{path} holds no sound")
    return audible(np.concatenate([frame.to_ndarray()[0] for frame in frames]))


@torch.no_grad()
def speech_probabilities(network: SileroNetwork, sounds: list[Sound]) -> list[list[float]]:
    """Voice activity of whole clips, side by side: one probability per 512 samples of each."""
    chunks = [with_context(torch.from_numpy(sound)) for sound in sounds]
    embedded = [network.embed(levelled(one, loudness_of(one, 0.0))) for one in chunks]
    padded = torch.nn.utils.rnn.pad_sequence(embedded)  # (chunks, clips, 128)
    state, steps = network.start(len(sounds)), []
    for chunk in padded:
        probability, state = network.remember(chunk, state)
        steps.append(probability)
    return [column[: len(e)].tolist() for column, e in zip(torch.stack(steps).T, embedded, strict=True)]


@dataclass(frozen=True)
class Condition:
    """How a copy of a speaker was recorded; `Condition.draw` makes them up, `apply` records."""

    speed: float = 1.0  # pitch, formants and tempo together
    curve_db: tuple[float, ...] = (0.0,)  # response of the microphone, evenly spaced in log frequency from 60 Hz to 8 kHz
    band: tuple[float, float] = (0.0, 8_000.0)  # Hz
    reverberation: float = 0.0  # seconds to -60 dB
    direct: float = 1.0  # energy of the direct sound over that of the room
    snr_db: float = 99.0
    noise_colour: float = 0.0  # dB per octave
    clip: float = 0.0  # share of the peak above which sound is squashed

    @classmethod
    def draw(cls, seed: int) -> "Condition":
        """A microphone in a room, at random."""
        rng = np.random.default_rng(seed)
        telephone = (rng.uniform(200, 400), rng.uniform(3_000, 3_800))
        bands = [(0.0, 8_000.0), telephone, (80.0, rng.uniform(3_500, 7_500)), (rng.uniform(60, 250), 8_000.0)]
        return cls(
            speed=float(np.exp(rng.uniform(-0.13, 0.13))),
            curve_db=tuple(np.cumsum(rng.normal(0, 2.0, 8)) - rng.normal(0, 2.0)),
            band=bands[rng.choice(4, p=[0.3, 0.3, 0.25, 0.15])],
            reverberation=float(rng.uniform(0.15, 0.9)) if rng.random() < 0.6 else 0.0,
            direct=float(10 ** rng.uniform(-0.4, 1.1)),
            snr_db=float(rng.uniform(3, 30)) if rng.random() < 0.7 else 60.0,
            noise_colour=float(rng.uniform(-6, 1)),
            clip=float(rng.uniform(0.1, 0.5)) if rng.random() < 0.15 else 0.0,
        )

    def apply(self, sound: Sound, rng: np.random.Generator) -> Sound:
        """Record the sound under this condition; `rng` makes noise and the room's tail."""
        if self.speed != 1.0:
            sound = soxr.resample(sound, SAMPLE_RATE * self.speed, SAMPLE_RATE).astype(np.float32)
        n, tail = len(sound), int(self.reverberation * SAMPLE_RATE)
        size = 1 << (n + tail).bit_length()
        frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
        octave = np.log2(np.maximum(frequency, 60.0) / 60.0)
        gain = 10 ** (np.interp(octave, np.linspace(0, 7, len(self.curve_db)), self.curve_db) / 20)
        low, high = self.band
        if low > 0:
            gain /= np.sqrt(1 + (low / np.maximum(frequency, 1.0)) ** 8)
        gain /= np.sqrt(1 + (frequency / high) ** 16)
        response = gain.astype(np.complex128)
        if tail:
            decay = rng.normal(size=tail) * np.exp(-6.9 * np.arange(tail) / tail)
            decay *= np.sqrt(1.0 / (self.direct * np.sum(decay**2)))
            response *= 1.0 + np.fft.rfft(decay, size)
        loud = np.sqrt(np.mean(sound**2) + 1e-12)
        wet = np.fft.irfft(np.fft.rfft(sound, size) * response, size)[:n]
        wet *= loud / np.sqrt(np.mean(wet**2) + 1e-12)
        noise_size = 1 << n.bit_length()
        noise_octave = np.log2(np.maximum(np.fft.rfftfreq(noise_size, 1 / SAMPLE_RATE), 40.0) / 1_000)
        noise = np.fft.irfft(np.fft.rfft(rng.normal(size=noise_size)) * 10 ** (self.noise_colour * noise_octave / 20))[:n]
        wet += noise * loud * 10 ** (-self.snr_db / 20) / np.sqrt(np.mean(noise**2))
        if self.clip:
            limit = self.clip * np.max(np.abs(wet)) + 1e-9
            wet = limit * np.tanh(wet / limit)
        return wet.astype(np.float32)


@dataclass(frozen=True)
class Copy:
    """The features of all clips under one set of conditions: clip i has frames `offsets[i]:offsets[i + 1]`."""

    frames: NDArray[np.float16]  # (sum of frames, N_FRAME_FEATURES)
    speech: NDArray[np.bool_]  # (sum of frames,)
    offsets: NDArray[np.int64]  # (clips + 1,)


class FeatureCache:
    """Sound and features of a list of clips on disk, computed where missing; an interrupted run goes on where it was."""

    def __init__(
        self, clips: list[Clip], folder: Path, progress: Callable[[str, int], None], change: Change | None = None
    ) -> None:
        """Decodes what was not decoded before. `progress` is told what is being done and how many of all clips are done; `change`
        is done to every sound first. Raises UserError if none of the clips is sound."""
        self._clips, self._progress, self._change = clips, progress, change
        files = [f"{clip.path} {clip.path.stat().st_size} {clip.speaker}" for clip in clips]  # a speaker has one microphone
        self._folder = folder / f"{_stable_seed(N_FRAME_FEATURES, *files):08x}"
        self._folder.mkdir(parents=True, exist_ok=True)
        *self._decoded, why_not = self.kept(
            "decoded", ("samples", "chunks", "sample_ends", "chunk_ends", "why_not"), self._decode
        )
        self.readable: Final[NDArray[np.int64]] = np.flatnonzero(why_not == "")
        """Numbers of the clips that are sound; of these only there are features."""
        self.complaints: Final[list[str]] = [str(reason) for reason in why_not if reason]
        """Why the others are not, remembered until the size of one of the files changes."""
        if len(self.readable) == 0:
            raise UserError(f"none of the {len(clips)} recordings can be used; of the first: {self.complaints[0]}")

    @property
    def clips(self) -> list[Clip]:
        """Those that are sound."""
        return [self._clips[i] for i in self.readable]

    def copy(self, number: int) -> Copy:
        """Features of `clips`; number 0 as recorded, others under drawn conditions."""
        return Copy(*self.kept(f"copy{number}", ("frames", "speech", "offsets"), lambda: self._record(number)))

    def kept(self, kind: str, names: tuple[str, ...], compute: Callable[[], Arrays]) -> Arrays:
        """Arrays of that kind, found or computed."""
        files = [self._folder / f"{kind}-{name}.npy" for name in names]
        if not all(file.exists() for file in files):
            for file, array in zip(files, compute(), strict=True):
                part = file.with_suffix(".part")
                with part.open("wb") as stream:
                    np.save(stream, array)
                part.replace(file)
        return tuple(np.load(file, mmap_mode="r") for file in files)

    def _decode(self) -> Arrays:
        """What lies round the speech of every clip: samples, speech per chunk, where each clip begins in both (nothing of what is
        no sound), and why a clip is no sound ("" where it is).

        The rest is cut off: the length of padding gives some corpora's labels away."""
        network = SileroNetwork.load()
        samples, chunks = [np.zeros(0, np.float16)], [np.zeros(0, np.bool_)]
        lengths = np.zeros((len(self._clips), 2), np.int64)
        why_not = ["" for _ in self._clips]
        for first in range(0, len(self._clips), _BATCH):
            sounds: dict[int, Sound] = {}
            for i, clip in enumerate(self._clips[first : first + _BATCH], start=first):
                try:
                    sounds[i] = self._sound(clip)
                except UserError as error:
                    why_not[i] = str(error)
            heard = speech_probabilities(network, list(sounds.values())) if sounds else []
            for (i, sound), probabilities in zip(sounds.items(), heard, strict=True):
                speech = speech_chunks(probabilities)
                where = np.flatnonzero(speech) if speech.any() else np.arange(len(speech))
                begin, end = max(0, where[0] - _MARGIN), min(len(speech), where[-1] + 1 + _MARGIN)
                samples.append(sound[begin * CHUNK : end * CHUNK].astype(np.float16))  # as exact at any level
                chunks.append(speech[begin:end])
                lengths[i] = len(samples[-1]), len(chunks[-1])
            self._progress("decoding", min(first + _BATCH, len(self._clips)))
        ends = np.concatenate([np.zeros((1, 2), np.int64), lengths.cumsum(0)])
        return np.concatenate(samples), np.concatenate(chunks), ends[:, 0], ends[:, 1], np.array(why_not)

    def _sound(self, clip: Clip) -> Sound:
        """Of at least one chunk."""
        sound = decode(clip.path)
        if self._change:
            sound = self._change(sound, np.random.default_rng(_stable_seed(clip.path.name)))
        return np.pad(sound, (0, max(0, CHUNK - len(sound))))

    def _record(self, number: int) -> Arrays:
        samples, chunks, sample_ends, chunk_ends = self._decoded
        front_end = FrontEnd()
        frames, masks, ends = [], [], [0]
        for index in self.readable:
            clip = self._clips[index]
            sound: Sound = samples[sample_ends[index] : sample_ends[index + 1]].astype(np.float32)
            speech = chunks[chunk_ends[index] : chunk_ends[index + 1]]
            condition = Condition() if number == 0 else Condition.draw(_stable_seed("condition", clip.speaker, number))
            if number:
                sound = condition.apply(sound, np.random.default_rng(_stable_seed("noise", int(index), number)))
            sound = np.pad(sound, (0, max(0, BLOCK - len(sound))))
            centres = (np.arange(n_frames(len(sound))) * HOP_LENGTH + BLOCK // 2) * condition.speed
            masks.append(speech[np.minimum(centres.astype(int) // CHUNK, len(speech) - 1)])
            frames.append(front_end.frame_features(torch.from_numpy(sound)).numpy().astype(np.float16))
            ends.append(ends[-1] + len(frames[-1]))
            self._progress(f"features of copy {number}", int(index) + 1)
        return np.concatenate(frames), np.concatenate(masks), np.array(ends)


def _stable_seed(*parts: object) -> int:
    return zlib.crc32(os.fsencode("|".join(map(str, parts))))
