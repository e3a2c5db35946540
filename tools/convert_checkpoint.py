"""Turns a StyleGAN2 or StyleGAN3 checkpoint into a folder that every part of this program loads.

    python -m tools.convert_checkpoint stylegan3-r-ffhq-1024x1024.pkl --out generators/ffhq-r
    python run_live.py --generator generators/ffhq-r

Read are NVIDIA's .pkl (stylegan2-ada-pytorch, stylegan3) and rosinality's .pt. Nothing in the file is executed: whatever is not
tensors, numbers, plain containers and known names is refused by name. The folder holds the weights as safetensors and
manifest.json: architecture, resolution, dimensions, the mean of w, the licence text if the file carries one, and its SHA-256.
"""

import argparse
from pathlib import Path

from models.errors import exit_on_user_error
from models.stylegan.converted import convert
from models.stylegan.foreign_pickle import readable
from tools.ranges import whole


@exit_on_user_error
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE", help="a .pkl of NVIDIA's or a .pt of rosinality's")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a folder that is not there yet")
    parser.add_argument(
        "--label", type=whole("--label", 0), metavar="N", help="the class to draw, of a class-conditional generator"
    )
    options = parser.parse_args(arguments)
    manifest = convert(options.file, options.out, options.label)
    print(
        f"{options.out}: {manifest['architecture']}, {manifest['resolution']}², "
        f"{manifest['num_ws']} rows of {manifest['w_dim']}, graph {manifest['graph_hash'][:12]}…"
    )
    if manifest["licence"]:
        print(f"licence in the file (whole in manifest.json): {readable(manifest['licence'].splitlines()[0])}")
    else:
        print("the file carries no licence text; ask where you got it what it allows")


if __name__ == "__main__":
    raise SystemExit(main())
