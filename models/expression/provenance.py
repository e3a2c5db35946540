"""What the expressions that were found for a face depend on, as some digits for the name of their file.

A show keeps what it found. Where anything changes that it came from, the name does, and the file of before counts as not there.
"""

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.expression.find import VERSION
from models.files import sha256_once
from models.judge.eyes import WHO
from models.judge.student import WEIGHTS_FILE

DIGITS: Final = 12


def provenance(ws: NDArray[np.float32], predictor_file: Path, who: str) -> str:
    """`DIGITS` hexadecimal digits: of the face, of what walks start from, of what steers, and of how it is searched.

    ws               (num_ws, w_dim): the face as it comes
    predictor_file   of the predictor
    who              steers, one of `WHO`; the student's weights count, the published networks are fixed by their digests

    Raises OSError where a file can't be read.
    """
    code = np.round(ws.astype(np.float64), 1) + 0.0  # another number of threads may change the last bits; -0 is 0
    steering = sha256_once(WEIGHTS_FILE) if who == WHO[1] else ""
    parts = (str(VERSION), hashlib.sha256(code.tobytes()).hexdigest(), sha256_once(predictor_file), who, steering)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:DIGITS]
