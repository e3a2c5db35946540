"""What happens to a voice on its way to the listener: level, telephone, room, noise, codec; and sounds that are no voice.

Each is a function of the sound (n,) at 16 kHz and a random generator, made anew from its definition: no recordings.
"""

import io
from collections.abc import Callable
from typing import Final

import av
import numpy as np
import soxr

from models.emotion.front_end import SAMPLE_RATE
from tools.emotion_corpus import Change, Condition, Sound

Maker = Callable[[float, np.random.Generator], Sound]

_OPUS_RATE: Final = 48_000
_TELEPHONE: Final = (300.0, 3_400.0)  # Hz
_NOISE_COLOUR: Final = -3.0  # dB per octave: like a room with people, machines and air


def gain(decibels: float) -> Change:
    """Louder or softer; what exceeds full scale is clipped, as a converter does."""
    factor = np.float32(10 ** (decibels / 20))
    return lambda sound, rng: np.clip(sound * factor, -1.0, 1.0)


def telephone(sound: Sound, rng: np.random.Generator) -> Sound:
    """300 to 3400 Hz at 8 kHz."""
    narrow = soxr.resample(sound, SAMPLE_RATE, SAMPLE_RATE / 2)
    wide: Sound = soxr.resample(narrow, SAMPLE_RATE / 2, SAMPLE_RATE).astype(np.float32)
    return Condition(band=_TELEPHONE).apply(wide, rng)


def opus(sound: Sound, rng: np.random.Generator, bit_rate: int = 16_000) -> Sound:
    """Through Opus and back; the codec's delay is cut off."""
    file = io.BytesIO()
    wide = soxr.resample(sound, SAMPLE_RATE, _OPUS_RATE).astype(np.float32)
    with av.open(file, "w", format="ogg") as out:
        stream = out.add_stream("libopus", rate=_OPUS_RATE, layout="mono")
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(wide[None], format="flt", layout="mono")
        frame.sample_rate = _OPUS_RATE
        for part in [frame, None]:
            out.mux(stream.encode(part))
    file.seek(0)
    with av.open(file, "r") as container:
        resampler = av.AudioResampler("fltp", "mono", SAMPLE_RATE)
        frames = [part for decoded in container.decode(audio=0) for part in resampler.resample(decoded)]
        frames += resampler.resample(None)
    return np.concatenate([part.to_ndarray()[0] for part in frames]).astype(np.float32)


CONDITIONS: Final[dict[str, Change]] = {
    "gain -30 dB": gain(-30),
    "gain -15 dB": gain(-15),
    "gain +10 dB": gain(10),
    "telephone, 8 kHz": telephone,
    "noise, 10 dB": Condition(snr_db=10.0, noise_colour=_NOISE_COLOUR).apply,
    "room and noise, 10 dB": Condition(snr_db=10.0, noise_colour=_NOISE_COLOUR, reverberation=0.5, direct=2.0).apply,
    "Opus, 16 kbit/s": opus,
}


def coloured(decibels_per_octave: float) -> Maker:
    """Stationary noise."""
    condition = Condition(snr_db=-60.0, noise_colour=decibels_per_octave)
    return lambda seconds, rng: _level(condition.apply(np.full(int(seconds * SAMPLE_RATE), 1e-4, np.float32), rng))


def hum(seconds: float, rng: np.random.Generator) -> Sound:
    """Mains and its harmonics, with a little hiss."""
    t = _times(seconds)
    sound = sum(np.sin(2 * np.pi * 50 * k * t + rng.uniform(0, 6.3)) / k**1.5 for k in range(1, 12))
    return _level(sound + 0.01 * rng.normal(size=len(t)))


def tones(seconds: float, rng: np.random.Generator) -> Sound:
    """Beeps of changing pitch."""
    t = _times(seconds)
    frequency = np.repeat(rng.uniform(200, 2_000, int(seconds * 3) + 1), SAMPLE_RATE // 3)[: len(t)]
    return _level(np.sin(2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE) * (np.sin(2 * np.pi * 1.5 * t) > -0.5))


def clicks(seconds: float, rng: np.random.Generator) -> Sound:
    """Single samples and short bursts: keys, cables, doors."""
    sound = np.zeros(int(seconds * SAMPLE_RATE))
    for place in rng.integers(0, max(1, len(sound) - 400), int(seconds * 4)):
        sound[place : place + 400] += rng.normal(size=400) * np.exp(-np.arange(400) / rng.uniform(5, 80))
    return _level(sound)


def applause(seconds: float, rng: np.random.Generator) -> Sound:
    """Hundreds of hands: each clap is a burst of filtered noise, several a second and person."""
    sound = np.zeros(int(seconds * SAMPLE_RATE) + 800)
    for place in rng.integers(0, len(sound) - 800, int(seconds * 300)):
        resonance = np.cos(2 * np.pi * rng.uniform(800, 2_500) / SAMPLE_RATE * np.arange(800))
        sound[place : place + 800] += rng.uniform(0.3, 1) * rng.normal(size=800) * resonance * np.exp(-np.arange(800) / 80)
    return _level(sound[: int(seconds * SAMPLE_RATE)])


def music(seconds: float, rng: np.random.Generator) -> Sound:
    """Chords, a melody of plucked strings over them, and a drum."""
    sound = np.zeros(int(seconds * SAMPLE_RATE) + SAMPLE_RATE)
    beat = SAMPLE_RATE // 2
    scale = 220.0 * 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
    for place in range(0, int(seconds * SAMPLE_RATE), beat):
        t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
        notes = [*rng.choice(scale, 3, replace=False), 2 * rng.choice(scale)]
        for note in notes:
            sound[place : place + SAMPLE_RATE] += sum(np.sin(2 * np.pi * k * note * t) / k**2 for k in range(1, 6)) * np.exp(
                -3 * t
            )
        sound[place : place + 2_000] += 3 * rng.normal(size=2_000) * np.exp(-np.arange(2_000) / 300)
    return _level(sound[: int(seconds * SAMPLE_RATE)])


def laughter(seconds: float, rng: np.random.Generator) -> Sound:
    """Laughing alone: bouts of "ha" five a second, from high to low, each a breathy buzz through the resonances of a vowel."""
    n = int(seconds * SAMPLE_RATE)
    sound = np.zeros(n + 2 * SAMPLE_RATE)
    syllable = np.arange(int(0.13 * SAMPLE_RATE)) / SAMPLE_RATE
    place = 0
    while place < n:
        pitch = rng.uniform(180, 380)
        for k in range(int(rng.integers(5, 11))):
            f0 = pitch * 0.95**k * (1 - 0.8 * syllable)
            phase = np.cumsum(2 * np.pi * f0 / SAMPLE_RATE)
            gain = [
                sum(np.exp(-(((h * f0.mean() - f) / 180) ** 2)) / (1 + f / 700) for f in (750, 1_250, 2_600))
                for h in range(1, 20)
            ]
            buzz = sum(g * np.sin(h * phase) for h, g in enumerate(gain, start=1))
            puff = np.sin(np.pi * np.minimum(1.0, syllable / 0.11)) ** 0.7
            begin = place + k * SAMPLE_RATE // 5
            sound[begin : begin + len(syllable)] += 0.9**k * puff * (buzz + 0.15 * rng.normal(size=len(syllable)))
        place += (k + 1) * SAMPLE_RATE // 5 + int(rng.uniform(0.4, 1.2) * SAMPLE_RATE)
    return _level(sound[:n])


def coughs(seconds: float, rng: np.random.Generator) -> Sound:
    """Single and double coughs: a burst of air, then a decaying noise with the throat's resonances and a trace of voice."""
    n = int(seconds * SAMPLE_RATE)
    sound = np.zeros(n + 2 * SAMPLE_RATE)
    t = np.arange(int(0.35 * SAMPLE_RATE)) / SAMPLE_RATE
    spectrum = np.fft.rfftfreq(len(t), 1 / SAMPLE_RATE)
    throat = sum(np.exp(-(((spectrum - f) / 350) ** 2)) for f in (600, 1_500, 3_000)) + 0.1
    place = 0
    while place < n:
        for _ in range(int(rng.integers(1, 3))):
            air = np.fft.irfft(np.fft.rfft(rng.normal(size=len(t))) * throat, len(t)) * (
                np.exp(-t / 0.02) + 0.4 * np.exp(-t / 0.1)
            )
            voice = 0.1 * np.sign(np.sin(2 * np.pi * rng.uniform(100, 200) * t)) * np.clip(t / 0.1, 0, 1) * np.exp(-t / 0.1)
            sound[place : place + len(t)] += air + voice
            place += len(t)
        place += int(rng.uniform(0.8, 2.0) * SAMPLE_RATE)
    return _level(sound[:n])


NO_VOICE: Final[dict[str, Maker]] = {
    "white noise": coloured(0.0),
    "pink noise": coloured(-3.0),
    "brown noise": coloured(-6.0),
    "mains hum": hum,
    "beeps": tones,
    "clicks": clicks,
    "applause": applause,
    "music": music,
    "laughter": laughter,
    "coughs": coughs,
}


def _times(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _level(sound: np.ndarray[tuple[int, ...], np.dtype[np.float64]] | Sound, decibels: float = -20.0) -> Sound:
    """With that root mean square, dB full scale."""
    scaled = sound * (10 ** (decibels / 20) / (np.sqrt(np.mean(sound**2)) + 1e-12))
    return np.asarray(np.clip(scaled, -1.0, 1.0), np.float32)
