"""Curves of a training for TensorBoard, where somebody wants them."""

from collections.abc import Callable
from pathlib import Path

from models.errors import UserError
from models.files import make_folder

Curve = Callable[[str, int, float], None]
"""Told a curve's name, a step and the value there."""


def no_curve(name: str, step: int, value: float) -> None:
    """Nobody wants them."""


def curves_in(folder: Path) -> Curve:
    """Writes them there. Raises UserError without the package tensorboard, and where nothing can be written."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UserError("--tensorboard needs the package tensorboard; run: pip install tensorboard") from error
    make_folder(folder)
    writer = SummaryWriter(str(folder))

    def write(name: str, step: int, value: float) -> None:
        writer.add_scalar(name, value, step)

    return write
