"""Builds TensorRT engines ahead of a show, so that its first start need not.

    python -m tools.build_engine                                    # for the GPU at hand, 1024²
    python -m tools.build_engine --size 256 512 1024 --for 8.6 8.9  # for the GPUs named; needs none (TensorRT for RTX)
    python -m tools.build_engine --generator ffhq.pkl --for 8.9     # a StyleGAN2 or StyleGAN3 of your own

Compute capabilities: 7.5 is RTX 20, 8.6 RTX 30, 8.9 RTX 40, 12.0 RTX 50.
"""

import argparse

from engine.tensorrt import engine_file
from models.errors import exit_on_user_error
from models.stylegan.pixels import QUALITIES, Pixels
from tools.chosen_generator import add_options, chosen_generator
from tools.ranges import whole


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--size",
        type=whole("--size"),
        nargs="+",
        metavar="N",
        help="width of the picture in pixels (default: the largest there is)",
    )
    parser.add_argument("--quality", default="fine", choices=QUALITIES, help="how the default generator draws it (default fine)")
    add_options(parser)
    parser.add_argument(
        "--for", nargs="+", default=[], metavar="CAPABILITY", dest="capabilities", help="such as 8.6; default: the GPU here"
    )
    args = parser.parse_args(arguments)
    generator = chosen_generator(args)
    for size in args.size or [max(generator.sizes)]:
        path = engine_file(Pixels(generator, size, args.quality).eval(), tuple(args.capabilities), report=print)
        print(f"{size}²: {path} ({path.stat().st_size / 2**20:.0f} MiB)")


if __name__ == "__main__":
    raise SystemExit(main())
