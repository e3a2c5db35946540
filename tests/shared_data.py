"""Where the networks, photographs and corpora lie that some tests need and the repository does not hold: beside it, in `shared/`.

A test that needs them skips, naming what is missing.
"""

from pathlib import Path
from typing import Final

SHARED: Final = Path(__file__).resolve().parents[2] / "shared"
NETWORKS: Final = SHARED / "models"
PHOTOS: Final = SHARED / "photos"
SPEECH: Final = SHARED / "data" / "speech"
