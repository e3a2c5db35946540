"""Every name of TensorRT's that is used exists in both of its real modules, and every call of CUDA's in CUDA's."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from engine import cuda, tensorrt

# What a variable of engine/tensorrt.py is, in TensorRT's words.
CLASSES = {
    "builder": "Builder",
    "definition": "INetworkDefinition",
    "parser": "OnnxParser",
    "config": "IBuilderConfig",
    "timing_cache": "ITimingCache",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "context": "IExecutionContext",
    "pools": "MemoryPoolType",
    "runtime_config": "IRuntimeConfig",
    "runtime_cache": "IRuntimeCache",
}
ONLY_FOR_RTX = {
    *("ComputeCapability", "CURRENT", "num_compute_capabilities", "set_compute_capability"),
    *("create_runtime_cache", "set_runtime_cache", "deserialize"),
}
"""Used behind a question whether it is there."""


def names_used() -> set[tuple[str, ...]]:
    """Paths from the module on: ("MemoryPoolType", "WORKSPACE"), ("IBuilderConfig", "progress_monitor") …"""
    tree = ast.parse(Path(tensorrt.__file__).read_text(encoding="utf-8"))
    return set(_paths(tree))


def _paths(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            chain = ast.unparse(node).removeprefix("self.").split(".")
            if chain[0] == "trt" and chain[1:] and not chain[1].startswith("__"):
                yield tuple(chain[1:])
            elif chain[0].lstrip("_") in CLASSES and len(chain) == 2:
                yield CLASSES[chain[0].lstrip("_")], chain[1]


def test_the_list_is_of_some_length_and_knows_the_important_ones() -> None:
    used = names_used()
    assert len(used) > 25
    assert {("OnnxParser", "parse_from_file"), ("IExecutionContext", "execute_async_v3"), ("IProgressMonitor",)} <= used
    assert ("NetworkDefinitionCreationFlag", "STRONGLY_TYPED") in used
    assert {path[-1] for path in used} >= ONLY_FOR_RTX - {"ComputeCapability"}


def test_tensorrt_for_rtx_has_every_name() -> None:
    trt = pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT for RTX is not installed: the extra tensorrt-rtx")
    missing = [path for path in names_used() if not _has(trt, path)]
    assert missing == []


def _has(trt: ModuleType, path: tuple[str, ...]) -> bool:
    found: object = trt
    for name in path:
        if not hasattr(found, name):
            return False
        found = getattr(found, name)
    return True


def test_tensorrt_proper_has_every_name() -> None:
    """Its libraries can't be installed everywhere, so its bindings can't be imported; their names stand in them as they are."""
    spec = importlib.util.find_spec("tensorrt_bindings")
    if spec is None or spec.origin is None:
        pytest.skip("TensorRT's bindings are not installed: pip install --no-deps tensorrt-cu13-bindings")
    (library,) = Path(spec.origin).parent.glob("tensorrt.*[!y]")
    content = library.read_bytes()
    names = {name for path in names_used() for name in path} - ONLY_FOR_RTX
    # The end of a longer string may serve as a name: linkers keep such strings once.
    missing = {name for name in names if name.encode() + b"\0" not in content}
    assert missing == {"IRuntimeCache"}  # asked for, to tell the two apart


def test_cuda_has_every_name() -> None:
    runtime = pytest.importorskip("cuda.bindings.runtime", reason="cuda-python is not installed")
    tree = ast.parse(Path(cuda.__file__).read_text(encoding="utf-8"))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("cuda")}
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    names |= {text for text in constants if isinstance(text, str) and text.startswith("cuda") and text.isalnum()}
    enumerations = [runtime.cudaMemcpyKind, runtime.cudaStreamCaptureMode]
    members = {name for kind in enumerations for name in kind.__members__}
    assert len(names) > 15
    assert {name for name in names - members if not hasattr(runtime, name)} == set()
