"""The corpora as `train_emotion` studies them: clips, their recordings, the windows' vectors, and who is tested with whom."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.emotion.embedding import WindowEmbedding
from models.emotion.front_end import FrontEnd
from models.emotion.speech_encoder import SpeechEncoder
from models.errors import UserError
from tools.adapt_encoder import Recorded
from tools.emotion_corpus import Clip, Copy, FeatureCache, family, read_corpus
from tools.emotion_embeddings import Embedded, Examples, embed, joined
from tools.emotion_examples import Windows, test_windows, training_windows

N_FOLDS: Final = 5
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Study:
    """The corpora, ready to draw from."""

    clips: list[Clip]
    recorded: list[Recorded]
    examples: Examples
    fold: NDArray[np.int64]  # per clip

    def corpora(self) -> list[str]:
        """Names, speech and song of the same speakers as one."""
        return sorted({family(clip.corpus) for clip in self.clips})

    def of_corpus(self, name: str) -> NDArray[np.int64]:
        """Numbers of the clips of a corpus and of its songs."""
        return np.flatnonzero([family(clip.corpus) == name for clip in self.clips])


def folds(clips: list[Clip]) -> NDArray[np.int64]:
    """A fold 0..4 for each clip: speakers of every corpus dealt out in a fixed shuffled order, no speaker in two folds."""
    dealt: dict[str, int] = {}
    for corpus in sorted({family(clip.corpus) for clip in clips}):
        speakers = sorted({c.speaker for c in clips if family(c.corpus) == corpus}, key=lambda name: zlib.crc32(name.encode()))
        dealt |= {speaker: i % N_FOLDS for i, speaker in enumerate(speakers) if speaker not in dealt}
    return np.array([dealt[clip.speaker] for clip in clips])


def prepare(places: Sequence[Path], work: Path, n_copies: int, tell: Tell) -> Study:
    """Read what `read_corpus` finds, decode, compute features or find them in `work`. Raises UserError if the data cannot be
    used."""
    embedding = WindowEmbedding(FrontEnd(), SpeechEncoder.published().listening())
    everybody: list[Clip] = []
    recorded: list[Recorded] = []
    training: list[list[Embedded]] = [[] for _ in range(n_copies)]
    test: list[Embedded] = []
    for place in places:
        clips, skipped = read_corpus(place)
        skipped.tell()
        if not clips:
            raise UserError(f"none of the {skipped.count} rows of {place} can be used; see the reasons above")
        found = _Vectors(embedding, place, clips, work, tell)
        skipped.extend(found.complaints)
        skipped.tell()
        clips = found.clips
        for k, copy in enumerate(training):
            copy.append(found.training(k).after(len(everybody)))
        test.append(found.test().after(len(everybody)))
        recorded.append(Recorded(len(everybody), clips, found.copies(n_copies)))
        everybody += clips
    return Study(everybody, recorded, Examples(everybody, [joined(copy) for copy in training], joined(test)), folds(everybody))


class _Vectors:
    """Of the clips of one manifest, found in `work` or computed."""

    def __init__(self, embedding: WindowEmbedding, place: Path, clips: list[Clip], work: Path, tell: Tell) -> None:
        self._embedding = embedding
        self._tell: Callable[[str, int], None] = lambda what, done: tell(f"{place.name}: {what}", done, len(clips))
        self._cache = FeatureCache(clips, work / "features", self._tell)
        self.clips: Final = self._cache.clips
        self.complaints: Final = self._cache.complaints

    def training(self, copy: int) -> Embedded:
        """One window of every clip with enough speech, recorded as copy `copy` is."""
        return self._kept(f"copy{copy}", lambda: training_windows(self.clips, self._cache.copy(copy), seed=copy))

    def copies(self, n: int) -> list[Copy]:
        """The frames they are made of."""
        return [self._cache.copy(k) for k in range(n)]

    def test(self) -> Embedded:
        """Every clip as recorded, in windows one second apart."""
        return self._kept("test", lambda: test_windows(self.clips, self._cache.copy(0)))

    def _kept(self, kind: str, windows: Callable[[], Iterator[Windows]]) -> Embedded:
        def told() -> Iterator[Windows]:
            for part in windows():
                self._tell(f"vectors of {kind}", int(self._cache.readable[part.clips.max()]) + 1)
                yield part

        return Embedded(*self._cache.kept(f"embedded-{kind}", Embedded._fields, lambda: embed(self._embedding, told())))


def heard_by(encoder: SpeechEncoder, study: Study, among: NDArray[np.int64], test: NDArray[np.int64]) -> Examples:
    """What an encoder makes of a window of each of the clips `among`, as recorded, and of all windows of the clips `test`."""
    embedding = WindowEmbedding(FrontEnd(), encoder.listening())

    def own(recorded: Recorded, which: NDArray[np.int64]) -> NDArray[np.int64]:
        return which[(which >= recorded.first) & (which < recorded.first + len(recorded.clips))] - recorded.first

    def embedded(windows: Callable[[Recorded], Iterator[Windows]]) -> Embedded:
        return joined([embed(embedding, windows(recorded)).after(recorded.first) for recorded in study.recorded])

    learnt = embedded(lambda r: training_windows(r.clips, r.copies[0], 0, own(r, among)))
    heard = embedded(lambda r: test_windows(r.clips, r.copies[0], own(r, test)))
    return Examples(study.clips, [learnt], heard)
