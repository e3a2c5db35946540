"""Finds the package that carries the default generator's published weights, and makes sure they are those very files.

The package `random-face` (PyPI, Apache-2.0) is never imported: only its folder is looked up and its data files are read. A folder
named by the environment variable SPEECH2EXPRESSION_GENERATOR (holding the same four files) replaces it.
"""

import os
from pathlib import Path
from typing import Final

from models import carrier

SHA256: Final = {
    "MappingNetwork.bin": "212dd716bdb556e18db603ea97300d4fa3c872b878c726b2402fea80820e7305",
    "MappingNetwork.xml": "73e2096cad6e696e4af47df2477e048ab4c42c0e0dec83c7c66604822689e55b",
    "SynthesisNetwork.bin": "c7da15fa22d508c82e1c30dd6b4cdf67fe3ccdddaf85b310ee764dbf0c289645",
    "SynthesisNetwork.xml": "7918fce515243954d3e06628cb39a23902d6b1d5d02932cc0c2faee7a2aeeedd",
}
ADVICE: Final = "install it with: pip install --no-deps random-face==2021.7.21.1"


def carrier_folder() -> Path:
    """The folder with the published files. Raises UserError where there is none."""
    named = os.environ.get("SPEECH2EXPRESSION_GENERATOR")
    if named:
        return Path(named)
    return carrier.package_folder("random_face", ADVICE) / "data"


def checked_file(folder: Path, name: str) -> Path:
    """`folder/name` once its SHA-256 is the published one. Raises UserError for a missing, unreadable or different file."""
    return carrier.checked_file(folder / name, SHA256[name], f"{ADVICE} --force-reinstall")
