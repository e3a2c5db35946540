"""The shape of the project, held by a test: imports point one way, labels live in one place, files are about one thing."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ["models", "engine", "realtime", "run_live", "tools"]
"""Each may import itself and what stands before it."""
CLOCKS_AND_THREADS = {"threading", "time", "asyncio", "multiprocessing", "queue", "sched", "pyaudio", "pythonosc"}
MODULES = sorted(path for layer in LAYERS for path in [*ROOT.glob(f"{layer}/**/*.py"), *ROOT.glob(f"{layer}.py")])


def imports(path: Path) -> set[str]:
    """Full names of the modules that a file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return names


def layer_of(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    own = LAYERS.index(layer_of(".".join(path.relative_to(ROOT).with_suffix("").parts)))
    above = {name for name in imports(path) if layer_of(name) in LAYERS[own + 1 :]}
    assert not above


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.is_relative_to(ROOT / "models")], ids=lambda path: str(path.relative_to(ROOT))
)
def test_models_know_no_time_threads_or_devices(path: Path) -> None:
    assert not {layer_of(name) for name in imports(path)} & CLOCKS_AND_THREADS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    assert len(docstring.splitlines()[0]) > 20


def test_the_five_labels_are_written_down_once() -> None:
    spelled = [path for path in MODULES if '"angry", "neutral", "fear", "happy", "sad"' in path.read_text(encoding="utf-8")]
    assert spelled == [ROOT / "models" / "labels.py"]


def test_foreign_pickles_are_never_executed() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("pickle.load", "pickle.loads", "pickle.Unpickler"):
                pytest.fail(f"{path} unpickles")
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                safe = [word for word in node.keywords if word.arg == "weights_only" and ast.unparse(word.value) == "True"]
                assert safe, f"{path}: torch.load without weights_only=True"


def test_the_repository_stays_small() -> None:
    weights = [path for layer in LAYERS for path in ROOT.glob(f"{layer}/**/weights/*") if path.is_file()]
    assert all(path.stat().st_size <= 15 * 2**20 for path in weights)
    assert sum(path.stat().st_size for path in weights) <= 60 * 2**20


def test_openvino_is_opened_in_one_place() -> None:
    """Two that are closed in another order than the reverse of their opening make the next signal fatal."""
    opening = [path for path in [*MODULES, *ROOT.glob("tests/**/*.py")] if "openvino.Core(" in path.read_text(encoding="utf-8")]
    assert opening == [ROOT / "models" / "openvino_core.py", ROOT / "tests" / "test_architecture.py"]
