"""What is found once for a generator of the user's own, if it draws faces: what predicts any face's neutral and expressions.

In steps that go on where they were stopped, each kept in the user's cache under the generator's hash: faces are drawn and
measured (`directions.py`), then the predictor learns from one drawn face after another (`amortised.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from models.descent import cosine_pace, share_kept
from models.errors import UserError
from models.expression import directions, predictor
from models.expression.amortised import FIRST_SEED, Amortisation, Teaching, calibrated, drawn_codes
from models.expression.bank import load_directions, load_predictor
from models.expression.directions import Directions
from models.expression.predictor import PathPredictor, untrained
from models.expression.preview import FEATURES, FittedPreviews, Generator
from models.expression.progress import Progress, untold
from models.expression.rows import shaping_rows
from models.files import cache_folder, note_use
from models.judge.eyes import WHO, Eyes
from models.stylegan.default import GRAPH_HASH

MEASURED_FACES: Final = 200
COMPONENTS: Final = 16  # of the code: few, since few faces are learnt from
EACH: Final = 6  # goals per face: all of them, since the preview is fitted for each face
AVERAGED: Final = 0.95  # of the last descent's average that each face leaves as it is
SAVED_EVERY: Final = 5  # faces
MEASURING: Final = 0.1  # of the whole work


@dataclass(frozen=True)
class Descent:
    """Faces to learn from, how much farther each itself moves than all do, the first pace, and how much of it is left at last."""

    faces: int
    own: float
    pace: float
    last: float


DESCENTS: Final = (Descent(120, 2.5, 1.0, 0.05), Descent(50, 1.5, 0.7, 0.04))

Found = TypeVar("Found")


class Kept:
    """Where in the user's cache lies what is found for a generator, steered by one of `WHO`."""

    def __init__(self, generator: Generator, who: str) -> None:
        """Raises `UserError` where there is no place for it."""
        stem = cache_folder("predictors") / f"{generator.graph_hash[:16]}-{who}"
        self.graph_hash = generator.graph_hash
        self.directions_file = Path(f"{stem}-directions.safetensors")
        self.progress_file = Path(f"{stem}-progress.safetensors")
        self.predictor_file = Path(f"{stem}-predictor.safetensors")

    def directions(self) -> Directions | None:
        """None where there are none, or damaged ones, which are removed to be made anew."""
        return _read(self.directions_file, lambda file: directions.load(file, self.graph_hash))

    def predictor(self) -> PathPredictor | None:
        """None where there is none, or a damaged one, which is removed to be made anew."""
        return _read(self.predictor_file, lambda file: predictor.load(file, self.graph_hash))


def best_known(generator: Generator) -> PathPredictor | None:
    """What predicts an own generator's faces, as far as it has got: a predictor, or attribute-level directions, or nothing."""
    kept = [Kept(generator, who) for who in WHO]
    for one in kept:
        learnt = one.predictor()
        if learnt is not None:
            return learnt
    for one in kept:
        measured = one.directions()
        if measured is not None:
            return untrained(measured, generator.codes_of_seeds([0]).cpu().numpy(), shaping_rows(generator))
    return None


def _read(file: Path, read: Callable[[Path], Found]) -> Found | None:
    if not file.exists():
        return None
    note_use(file)
    try:
        return read(file)
    except UserError:
        file.unlink(missing_ok=True)
        return None


def known_predictor(generator: Generator, file: Path | None = None) -> PathPredictor:
    """Of a file, if one is named; the shipped one of the default generator, or what was learnt of an own one.

    Raises `UserError` where the file is damaged or another generator's, and where nothing was learnt yet.
    """
    if file is not None:
        return predictor.load(file, generator.graph_hash)
    if generator.graph_hash == GRAPH_HASH:
        return load_predictor(generator.graph_hash)
    return _learnt(generator, Kept.predictor)


def known_directions(generator: Generator) -> Directions:
    """The shipped ones of the default generator, or those of an own one. Raises `UserError` where it was not measured yet."""
    if generator.graph_hash == GRAPH_HASH:
        return load_directions(generator.graph_hash)
    return _learnt(generator, Kept.directions)


def _learnt(generator: Generator, read: Callable[[Kept], Found | None]) -> Found:
    for who in WHO:
        found = read(Kept(generator, who))
        if found is not None:
            return found
    raise UserError(
        f"nothing is learnt yet of the generator {generator.graph_hash[:12]}…: "
        "run python -m tools.train_predictor --generator FILE first"
    )


def check_learnable(generator: Generator) -> None:
    """Raises `UserError` where the layers are too few to search a face with."""
    try:
        shaping_rows(generator)
        generator.rows_read(FEATURES)
    except ValueError as error:
        raise UserError(
            f"expressions are searched in layers of 64² and {FEATURES}², this generator lacks one ({error})"
        ) from error


def learn(generator: Generator, eyes: Eyes, progress: Progress = untold) -> PathPredictor:
    """The predictor of this generator's faces, from the cache or made now and kept there.

    Takes seven steps of a search for each face of `DESCENTS`. Raises `NoFacesError` where most pictures show no face, and
    `UserError` where layers are missing.
    """
    check_learnable(generator)
    kept = Kept(generator, eyes.name)
    found = kept.predictor()
    if found is not None:
        return found
    measured = kept.directions()
    if measured is None:
        seen = directions.observe(generator, eyes, MEASURED_FACES, lambda part, what: progress(MEASURING * part, what))
        measured = directions.find_directions(generator, seen)
        measured.save(kept.directions_file)
    start = untrained(measured, drawn_codes(generator), shaping_rows(generator), COMPONENTS)
    found = calibrated(_descended(generator, eyes, start, kept.progress_file, progress), generator, eyes)
    found.save(kept.predictor_file)
    kept.progress_file.unlink(missing_ok=True)
    progress(1.0, "done")
    return found


def _descended(generator: Generator, eyes: Eyes, start: PathPredictor, file: Path, progress: Progress) -> PathPredictor:
    """What `start` becomes by all of `DESCENTS`, the last one's average; kept in `file` on the way, and gone on from there."""
    learnt, first, saved = start, FIRST_SEED, file.exists()
    for descent in DESCENTS:
        teaching = Teaching(own=descent.own, each=EACH)
        learning = Amortisation(generator, eyes, learnt, FittedPreviews(generator), teaching, first)
        if saved:
            try:
                learning.restore(file)
            except UserError:
                file.unlink(missing_ok=True)
                saved = False
        while (done := learning.seed - first) < descent.faces:
            saved = False  # what was saved is taken in
            part = (learning.seed - FIRST_SEED) / sum(descent.faces for descent in DESCENTS)
            progress(MEASURING + (1 - MEASURING) * part, "expressions")
            learning.step(descent.pace * cosine_pace(done / descent.faces, descent.last))
            learning.average_in(share_kept(done, AVERAGED))
            if learning.seed % SAVED_EVERY == 0:
                learning.save(file)
        learnt, first = learning.trained(), first + descent.faces
    return learning.averaged()
