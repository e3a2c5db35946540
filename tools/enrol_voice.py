"""Gets to know a performer's voice: a small file for `run_live.py --voice-profile FILE`.

    python -m tools.enrol_voice ada.voice                            # fifteen seconds of plain talk into the microphone
    python -m tools.enrol_voice ada.voice --guided                   # a minute: two sentences for each emotion
    python -m tools.enrol_voice ada.voice --from talk.wav            # from recordings
    python -m tools.enrol_voice ada.voice --from angry=1.wav angry=2.wav neutral=3.wav sad=4.wav ...

Use the microphone and the place of the show. The guided way helps far more (docs/emotion.md). The classifier's weights
stay as they are; several performers are several files.
"""

import argparse
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from models.emotion.classifier import WEIGHTS, EmotionClassifier
from models.emotion.enrolment import Recording, enrol
from models.errors import UserError, exit_on_user_error
from models.files import check_place
from models.labels import EMOTIONS, NEUTRAL
from realtime.clock import MonotonicClock
from realtime.sound.microphone import Microphone
from realtime.sound.resample import ToListeningRate
from tools.emotion_corpus import decode

Sound = NDArray[np.float32]
Next = Callable[[], Sound]

PLAIN_SECONDS: Final = 15.0  # of speech
SENTENCE_SECONDS: Final = 2.0  # of speech, at least
_PATIENCE: Final = 4.0  # times the wanted speech, after which whoever has not spoken enough is told so
_END: Final = 8  # hops of 100 ms without speech that end a sentence
_CLIPPED: Final = 0.99  # of full scale
# Words that carry no emotion themselves; any other words, in any language, do as well.
_SENTENCES: Final = (
    "The tram to the harbour leaves at twenty past seven.",
    "There are three more boxes waiting at the front door.",
)
_PLAIN_TEXT: Final = "Tell what you did today, or read something aloud, as you would to a friend."


class Studio:
    """A microphone's sound at 16 kHz, hop by hop."""

    def __init__(self, device: str) -> None:
        self._clock = MonotonicClock()
        self._microphone = Microphone(device, self._clock)
        self._resample = ToListeningRate(self._microphone.ring.rate)
        self._waiting: Sound = np.zeros(0, np.float32)
        self.description = self._microphone.description

    def __enter__(self) -> "Studio":
        self._microphone.start()
        self._cursor = self._microphone.ring.cursor()
        return self

    def __exit__(self, *_: object) -> None:
        self._microphone.close()

    def flush(self) -> None:
        """Forget what was recorded until now."""
        self._cursor.read()
        self._waiting = np.zeros(0, np.float32)

    def hop(self) -> Sound:
        """The next 100 ms, waited for. Raises UserError if the microphone is lost."""
        while len(self._waiting) < EmotionClassifier.HOP:
            if self._microphone.health:
                raise UserError(f"{self._microphone.health}; connect it and start again")
            time.sleep(0.02)
            self._waiting = np.concatenate([self._waiting, self._resample.step(self._cursor.read())])
        hop, self._waiting = self._waiting[: EmotionClassifier.HOP], self._waiting[EmotionClassifier.HOP :]
        return hop


def listen_for(
    classifier: EmotionClassifier, next_hop: Next, seconds: float, *, to_the_end: bool, tell: Callable[[float, float], None]
) -> Sound:
    """Record until `seconds` of speech were heard and, if `to_the_end`, the speaker pauses.

    `tell` gets the seconds of speech so far and the level, 0..1. Raises UserError when nobody speaks."""
    classifier.adopt()
    hops: list[Sound] = []
    spoken = quiet = 0
    while True:
        hops.append(next_hop())
        speaking = classifier.step(hops[-1]).speaking
        spoken, quiet = spoken + speaking, 0 if speaking else quiet + 1
        heard = spoken * EmotionClassifier.HOP / EmotionClassifier.SAMPLE_RATE
        tell(heard, float(np.abs(hops[-1]).max()))
        if heard >= seconds and (not to_the_end or quiet >= _END):
            return np.concatenate(hops)
        if len(hops) * EmotionClassifier.HOP / EmotionClassifier.SAMPLE_RATE > _PATIENCE * seconds + 4.0:
            raise UserError(f"heard only {heard:.1f} s of speech of the {seconds:.0f} s wanted; go nearer to the microphone")


def script(guided: bool) -> list[tuple[int | None, str]]:
    """What to say and how: (emotion or None, text)."""
    if not guided:
        return [(None, _PLAIN_TEXT)]
    # Neutral first, while nobody is worked up yet.
    order = [NEUTRAL, *(e for e in range(len(EMOTIONS)) if e != NEUTRAL)]
    return [(emotion, sentence) for emotion in order for sentence in _SENTENCES]


def interview(
    classifier: EmotionClassifier, studio: Studio, guided: bool, console: Console, wait: Callable[[], object]
) -> list[Recording]:
    """Ask for everything in the script; `wait` returns when the performer is ready."""
    recordings = []
    for number, (emotion, text) in enumerate(steps := script(guided), start=1):
        how = f"[bold]{EMOTIONS[emotion]}[/]" if emotion is not None else f"plainly, for {PLAIN_SECONDS:.0f} seconds"
        console.print(f"\n{number} of {len(steps)}: say {how}: {text}\nPress Enter, then speak.")
        wait()
        studio.flush()
        seconds = PLAIN_SECONDS if emotion is None else SENTENCE_SECONDS
        with Progress(TextColumn("speech"), BarColumn(), TextColumn("level {task.fields[level]}"), console=console) as progress:
            task = progress.add_task("speech", total=seconds, level="")
            show = functools.partial(_show, progress, task)
            sound = listen_for(classifier, studio.hop, seconds, to_the_end=emotion is not None, tell=show)
        if np.abs(sound).max() >= _CLIPPED:
            console.print("[yellow]That was too loud for the microphone: turn its level down if you can.[/]")
        recordings.append(Recording(sound, emotion))
    return recordings


def _show(progress: Progress, task: TaskID, heard: float, level: float) -> None:
    progress.update(task, completed=heard, level="▮" * round(level * 20))


def read(sources: list[str]) -> list[Recording]:
    """Recordings from FILE or EMOTION=FILE. Raises UserError for an unknown emotion, a missing file, or labels on some only."""
    recordings = []
    for source in sources:
        label, equals, name = source.partition("=")
        labelled = bool(equals) and not Path(source).exists()
        if labelled and label not in EMOTIONS:
            raise UserError(
                f"--from: unknown emotion {label!r} in {source!r}; expected one of {', '.join(EMOTIONS)}, or a file alone"
            )
        path = Path(name if labelled else source)
        if not path.is_file():
            raise UserError(f"--from: no such file {path}")
        recordings.append(Recording(decode(path), EMOTIONS.index(label) if labelled else None))
    if len({recording.emotion is None for recording in recordings}) > 1:
        raise UserError("--from: some files have an emotion and some have none; write EMOTION=FILE for all of them or for none")
    return recordings


@exit_on_user_error
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile", type=Path, metavar="FILE", help="where the profile goes")
    parser.add_argument("--guided", action="store_true", help="two sentences for each emotion, instead of plain talk")
    parser.add_argument(
        "--from", nargs="+", dest="sources", metavar="[EMOTION=]FILE", help="recordings instead of the microphone"
    )
    parser.add_argument(
        "--device", default="", metavar="NAME", help="microphone: number or part of its name; default: the default one"
    )
    parser.add_argument("--weights", type=Path, default=WEIGHTS, metavar="FILE", help="of the classifier it is for")
    args = parser.parse_args(argv)
    check_place(args.profile, "voice profile")
    if args.sources and args.guided:
        raise UserError(
            "--guided speaks into the microphone, --from reads files; give one of them (files are labelled EMOTION=FILE)"
        )
    classifier = EmotionClassifier.load(args.weights)
    console = Console()
    if args.sources:
        recordings = read(args.sources)
    else:
        if not sys.stdin.isatty():
            raise UserError("the microphone needs a terminal to ask at; give recordings with --from FILE")
        with Studio(args.device) as studio:
            console.print(studio.description)
            recordings = interview(classifier, studio, args.guided, console, input)
    profile = enrol(classifier, recordings)
    profile.save(args.profile)
    known = ", ".join(f"{number} {name}" for name, number in profile.sentences.items() if number)
    console.print(
        f"wrote {args.profile}: {profile.seconds:.0f} s of speech" + (f", sentences: {known}" if known else ", plain talk")
    )
    console.print(f"use it: python run_live.py --voice-profile {args.profile}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
