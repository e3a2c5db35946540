"""Finds packages that carry published weights, and makes sure that a file of theirs is the very one that was published.

Such a package is never imported: its folder is looked up and its data files are read.
"""

import importlib.util
from pathlib import Path

from models.errors import UserError
from models.files import sha256_of


def package_folder(package: str, advice: str) -> Path:
    """The folder of an installed package. Raises UserError, with the advice, where there is none."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(f"the package {package.replace('_', '-')}, which carries weights, is not installed; {advice}")
    return Path(spec.origin).parent


def checked_file(path: Path, sha256: str, advice: str) -> Path:
    """`path` once its SHA-256 is the published one. Raises UserError for a missing, unreadable or different file."""
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise UserError(f"the published file {path} can't be read ({error.strerror}); {advice}") from error
    if digest != sha256:
        raise UserError(f"{path} is not the published file: SHA-256 {sha256[:12]}… expected, {digest[:12]}… found; {advice}")
    return path
