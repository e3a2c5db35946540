"""Draws with OpenVINO on a CPU: the default where there is no NVIDIA GPU.

OpenVINO's default precision is the narrowest that the processor knows, which is not always the fastest: convolutions gain from
bfloat16, but on some processors the depthwise ones lose more than the others win. So all precisions are timed once on this
machine, and the fastest one whose pictures stay true to float32 is remembered. Fitted heads may draw in integers as well
(`ROUNDED`, `engine/int8.py`). `full` never does: it is what the generator's own networks draw.
"""

import logging
import time
from typing import Any, Final

import numpy as np
import openvino
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from engine import cache
from engine.backend import Backend
from engine.export import INPUT, OUTPUT, graph_key, onnx_file
from engine.int8 import Rounded, Steps, measured_steps, recipe, use_steps
from models.errors import UserError
from models.files import note_use, written_beside
from models.judge.fidelity import psnr
from models.openvino_core import openvino_core
from models.stylegan.pixels import Pixels, Quality

PRECISIONS: Final = {"FP32": "f32", "BF16": "bf16", "FP16": "f16"}  # as OpenVINO names the capability, and as it is asked for
INTEGERS: Final = "int8 and "  # before the precision of what is not computed in integers
ROUNDED: Final[dict[tuple[int, Quality], Rounded]] = {(256, "fast"): "all", (256, "fine"): "head", (512, "fine"): "hidden"}
"""What of the pictures that heads draw: at 512² rounding what reads the generator's features costs half of the truth that all of
it does, for a twentieth of the time."""
TRUE_ENOUGH: Final = 40.0  # dB of PSNR against float32, below which a precision is not taken however fast it is
TIMED_FACES: Final = range(6)  # seeds
LOOKED_AT: Final = range(100, 132)  # seeds of the faces on which the steps of integers are measured

log = logging.getLogger(__name__)


class OpenVinoBackend(Backend):
    """One compiled model and one request on the CPU. `precision` is one of f32, bf16, f16, or one of them after `INTEGERS`."""

    name = "openvino"

    def __init__(self, pixels: Pixels, precision: str) -> None:
        super().__init__(pixels)
        core, version = openvino_core(), openvino.__version__.split("-")[0]
        graph = onnx_file(pixels)
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": precision.removeprefix(INTEGERS),
            "PERFORMANCE_HINT": "LATENCY",
            "CACHE_DIR": str(cache.compiled_folder("openvino", version, f"{graph.stem}_{precision.replace(' ', '_')}")),
        }
        try:
            model = core.read_model(graph)
            planes = noise_as_inputs(model)
            if precision.startswith(INTEGERS):
                use_steps(model, known_steps(pixels))
            self._request = core.compile_model(model, "CPU", options).create_infer_request()
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"OpenVINO can't run {graph}: {reason}; delete that file, and it is exported anew") from error
        for name, plane in planes.items():
            self._request.set_tensor(name, openvino.Tensor(plane))
        self.description = f"OpenVINO {version}, {cache.processor()}, {precision}"

    def _draw(self, ws: NDArray[np.float32]) -> NDArray[np.uint8]:
        self._request.infer({INPUT: ws})
        picture: NDArray[np.uint8] = self._request.get_tensor(OUTPUT).data.copy()
        return picture

    def _free(self) -> None:
        del self._request


def noise_as_inputs(model: openvino.Model) -> dict[str, NDArray[np.float32]]:
    """Turn the constant noise planes (1, 1, R, R) of `model` into inputs; returns what to feed them, by name.

    As constants they would be added to the biases while compiling, one plane for every channel: 250 MB at 1024² that are read
    again for every frame.
    """
    planes: dict[str, NDArray[np.float32]] = {}
    inputs = []
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Constant" and len(node.shape) == 4 and node.shape[:2] == [1, 1] and node.shape[2] > 4:
            plane = openvino.opset13.parameter(node.shape, np.float32, name=f"noise_{len(planes)}")
            plane.output(0).set_names({plane.get_friendly_name()})
            for reader in node.output(0).get_target_inputs():
                reader.replace_source_output(plane.output(0))
            inputs.append(plane)
            planes[plane.get_friendly_name()] = node.data.copy()
    model.add_parameters(inputs)
    return planes


def open_openvino(pixels: Pixels) -> OpenVinoBackend:
    """The backend in the precision that is fastest on this machine, warmed up or not. Raises UserError."""
    return OpenVinoBackend(pixels, measured_precision(pixels))


def known_steps(pixels: Pixels) -> Steps:
    """The steps of the integers that `pixels` is drawn in, measured once and kept beside its graph. Raises UserError."""
    graph = onnx_file(pixels)
    path = graph.with_name(f"{graph.stem}_{recipe()}.steps")
    try:
        steps: Steps = load_file(path)
        note_use(path)
        return steps
    except FileNotFoundError:
        log.info("measuring once what integers can stand for, into %s", path)
    except (OSError, SafetensorError) as error:
        log.warning("%s is damaged (%s); measuring again", path, error)
    model = openvino_core().read_model(graph)
    faces = faces_of(pixels, LOOKED_AT)
    steps = measured_steps(model, noise_as_inputs(model), faces, ROUNDED[pixels.size, pixels.quality])
    with written_beside(path) as beside:
        save_file(steps, beside)
    return steps


def faces_of(pixels: Pixels, seeds: range) -> list[NDArray[np.float32]]:
    """Their ws, each (1, num_ws, w_dim)."""
    return [pixels.generator.broadcast(pixels.generator.code_of_seed(seed)).numpy() for seed in seeds]


def measured_precision(pixels: Pixels) -> str:
    """What `OpenVinoBackend` should draw in: timed once on this machine for this graph, then remembered. Raises UserError."""
    subject = f"openvino_precision_{pixels.size}_{pixels.quality}"
    key = {
        "graph": graph_key(pixels),
        "openvino": openvino.__version__,
        "processor": cache.processor_key(),
        "integers": recipe(),
    }
    capabilities = openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    floats = [PRECISIONS[c] for c in capabilities if c in PRECISIONS]
    known = cache.recall(subject, key)
    if isinstance(known, str) and known.removeprefix(INTEGERS) in floats:
        return known
    ws = faces_of(pixels, TIMED_FACES)
    with OpenVinoBackend(pixels, "f32") as backend:
        true = np.stack([backend.render(face) for face in ws])
    best = _fastest(pixels, floats, ws, true)
    if pixels.head is not None and "INT8" in capabilities:
        try:
            best = _fastest(pixels, [best, INTEGERS + best], ws, true)
        except UserError as error:  # floats have drawn: no reason to draw nothing
            log.info("integers are not to be had here: %s", error)
    cache.remember(subject, key, best)
    return best


def _fastest(pixels: Pixels, choices: list[str], ws: list[NDArray[np.float32]], true: NDArray[np.uint8]) -> str:
    """Which of these precisions draws `ws` fastest, of those whose pictures are like the `true` ones; one of them always is."""
    backends = {choice: OpenVinoBackend(pixels, choice) for choice in choices}
    times: dict[str, list[float]] = {choice: [] for choice in choices}
    pictures: dict[str, list[NDArray[np.uint8]]] = {choice: [] for choice in choices}
    for backend in backends.values():
        backend.warm_up()
    for face in ws:  # in turns, so that whatever else the machine does meets all of them
        for choice, backend in backends.items():
            start = time.perf_counter()
            pictures[choice].append(backend.render(face))
            times[choice].append(time.perf_counter() - start)
    for backend in backends.values():
        backend.close()
    fidelity = {choice: psnr(true, np.stack(pictures[choice])) for choice in choices}
    milliseconds = {choice: 1000 * min(times[choice]) for choice in choices}  # what else the machine does only adds
    best = min((c for c in choices if fidelity[c] >= TRUE_ENOUGH), key=milliseconds.__getitem__)
    table = ", ".join(f"{c} {milliseconds[c]:.0f} ms ({fidelity[c]:.0f} dB)" for c in choices)
    log.info("OpenVINO draws %d² in %s from now on; measured on this machine: %s", pixels.size, best, table)
    return best
