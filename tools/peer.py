"""The peer of the default generator: `random-face`'s own way of drawing, and one frame of it in a process of its own.

    python -m tools.peer --size 256

Says what `tools.first_frame` says. Nothing but what the peer needs is loaded.
"""

import argparse
import sys
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import exit_on_user_error
from models.openvino_core import openvino_core
from models.stylegan.carrier import carrier_folder, checked_file
from tools.first_frame import tell
from tools.ranges import whole

PEER: Final = "peer"
RESOLUTION: Final = 1024
Draw = Callable[[NDArray[np.float32]], NDArray[np.uint8]]


def open_peer() -> Draw:
    """`random-face`'s own way, without importing it: its IR compiled with no options, its `tensor_to_img` in numpy. 1024²."""
    for name in ("SynthesisNetwork.xml", "SynthesisNetwork.bin"):
        path = checked_file(carrier_folder(), name)
    network = openvino_core().compile_model(path.with_suffix(".xml"), "CPU")

    def draw(ws: NDArray[np.float32]) -> NDArray[np.uint8]:
        picture = (np.clip(network({"style": ws[:, 0]})[0][0], -1, 1) + 1) / (2 + 1e-5)
        grey: NDArray[np.uint8] = np.clip(picture * 255 + 0.5, 0, 255).transpose(1, 2, 0).astype(np.uint8)
        return grey

    return draw


def at_size(draw: Draw, size: int, resolution: int) -> Draw:
    """The same way of drawing, its pictures shrunk from `resolution` to `size` by averaging."""
    if size == resolution:
        return draw
    return lambda ws: np.asarray(cv2.resize(draw(ws), (size, size), interpolation=cv2.INTER_AREA), np.uint8)


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.peer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=whole("--size"), required=True, metavar="N", help="width in pixels")
    draw = at_size(open_peer(), parser.parse_args(arguments).size, RESOLUTION)
    draw(np.zeros((1, 1, 512), np.float32))
    tell()


if __name__ == "__main__":
    sys.exit(main())
