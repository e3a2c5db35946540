"""Files that want to run something, lie about sizes, nest without end or are plain garbage: one clear line, and nothing happens.

An audit hook of Python's watches every reading: it sees whatever is executed, compiled, imported, opened or started.
"""

import builtins
import io
import os
import pickle
import pickletools
import struct
import subprocess
import sys
import tempfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference_generators import REFERENCE, Network, official_pickle

from models.errors import UserError
from models.stylegan import foreign_pickle, torch_file
from models.stylegan.checkpoint import build, read_checkpoint, shapes
from models.stylegan.foreign_pickle import Refused, read_pickle
from models.stylegan.stylegan2 import StyleGan2Config
from models.stylegan.torch_file import STREAM_MAGIC

WATCHED = ("exec", "compile", "import", "os.", "subprocess.", "socket.", "shutil.", "ctypes.", "pickle.find_class", "open")
seen: list[str] = []
watching = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if watching and event.startswith(WATCHED) and not (event == "open" and str(arguments[0]).endswith("network")):
        seen.append(f"{event} {arguments[:1]}")


sys.addaudithook(_watch)


@contextmanager
def watched() -> Iterator[None]:
    """Fails if anything happened that reading numbers does not need."""
    global watching
    seen.clear()
    watching = True
    try:
        yield
    finally:
        watching = False
    assert seen == []


@pytest.fixture(scope="module", autouse=True)
def path() -> Iterator[Path]:
    """Where the files to read lie. Everything that reading imports on first use has been imported by then."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network"
        for content in (official_pickle("sg2-32"), official_pickle("sg3r-32"), (REFERENCE / "rosinality-64.pt").read_bytes()):
            file.write_bytes(content)
            read_checkpoint(file)
        read_pickle(io.BytesIO(b"Va\nS'a'\nt.".replace(b"t", b"\x86")), {})  # the codecs of protocol 0
        yield file


def outcome(path: Path, content: bytes) -> str:
    """What reading says: one line, or "" where a whole generator came out. Anything else fails the test."""
    path.write_bytes(content)
    try:
        with watched():
            read_checkpoint(path)
    except UserError as error:
        message = str(error)
        assert message.isprintable()
        assert len(message) < 600
        return message
    return ""


class Bomb:
    """Pickled as a call of any function."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return self.call


CALLS = {
    "os.system": (Bomb(os.system, "touch /tmp/executed"), "posix.system"),
    "eval": (Bomb(builtins.eval, "open('executed', 'w')"), "builtins.eval"),
    "exec": (Bomb(builtins.exec, "raise SystemExit"), "builtins.exec"),
    "import": (Bomb(builtins.__import__, "antigravity"), "builtins.__import__"),
    "Popen": (Bomb(subprocess.Popen, ["touch", "executed"]), "subprocess.Popen"),
    "getattr": (Bomb(builtins.getattr, dict, "items"), "builtins.getattr"),
    "load": (Bomb(torch.load, "/etc/passwd"), "torch.serialization.load"),
    "partial": (Bomb(pickle.loads, b"."), "_pickle.loads"),
}


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("call", CALLS)
def test_a_pickle_that_is_a_call_is_refused_by_the_name_of_what_it_calls(path: Path, call: str, protocol: int) -> None:
    bomb, name = CALLS[call]
    asked = name if protocol > 2 else "." + name.rpartition(".")[2]  # older protocols write the module names of Python 2
    message = outcome(path, pickle.dumps(bomb, protocol))
    assert "it asks for '" in message
    assert f"{asked}'" in message


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("place", ["beside", "attribute", "hook", "parameter", "argument"])
def test_a_call_anywhere_in_a_whole_snapshot_is_refused_by_name(path: Path, place: str, call: str) -> None:
    bomb, name = CALLS[call]

    def change(network: Network) -> None:
        fc0 = network.child("mapping").child("fc0")
        if place == "attribute":
            fc0.state["activation"] = bomb
        elif place == "hook":
            fc0.state["_forward_hooks"][1] = bomb
        elif place == "parameter":
            fc0.state["_parameters"]["weight"] = bomb
        elif place == "argument":
            network.child("synthesis").state["_init_kwargs"]["x"] = bomb

    beside = {"augment_pipe": bomb} if place == "beside" else {}
    assert name in outcome(path, official_pickle("sg3t-32", change=change, **beside))


def test_the_source_text_in_a_snapshot_is_not_run(path: Path) -> None:
    def change(network: Network) -> None:
        for module in (network, network.child("mapping"), network.child("synthesis")):
            module.meta["module_src"] = "import os\nos.system('touch executed')\n"

    assert outcome(path, official_pickle("sg2-32", change=change)) == ""


def test_a_storage_that_is_a_program_of_its_own_is_refused_by_name(path: Path) -> None:
    """`torch.storage._load_from_bytes` would run it; and a storage in a storage in a storage would exhaust the stack."""
    inner = pickle.dumps(Bomb(os.system, "touch executed"))
    assert "posix.system" in outcome(path, stream(b"", obj=inner))
    blob = b""
    for _ in range(50):
        blob = stream(b"", obj=load_from_bytes(blob))
    assert "torch.storage._load_from_bytes" in outcome(path, load_from_bytes(stream(b"", obj=load_from_bytes(blob))))


def test_a_storage_that_is_asked_for_again_and_again_is_read_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By references it could be read two hundred thousand times: a file of some kilobytes would take days."""
    read: list[int] = []
    whole = torch_file._storage_in_stream
    monkeypatch.setattr(torch_file, "_storage_in_stream", lambda content: [whole(content), read.append(len(content))][0])
    content = stream(bytes(16))
    again = b"q\x010" + b"h\x00h\x01\x85R0" * 1000 + b"N."
    head = b"\x80\x04\x8c\x0dtorch.storage\x8c\x10_load_from_bytes\x93q\x000B"
    assert "no generator" in outcome(path, head + struct.pack("<I", len(content)) + content + again)
    assert read == [len(content)]


def load_from_bytes(content: bytes) -> bytes:
    return b"\x80\x04\x8c\x0dtorch.storage\x8c\x10_load_from_bytes\x93B" + struct.pack("<I", len(content)) + content + b"\x85R."


def stream(numbers: bytes, numel: int = 4, count: int | None = None, obj: bytes | None = None, keys: object = ("0",)) -> bytes:
    """One storage as the older `torch.save` writes it: says `numel` numbers, counts `count`, holds `numbers`."""
    numel_code = b"\x8a\x08" + struct.pack("<q", numel)
    identity = (
        b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + numel_code + b"NtQ."
    )
    head = [pickle.dumps(part, 2) for part in (STREAM_MAGIC, 1001, {"little_endian": True, "protocol_version": 1001})]
    length = struct.pack("<q", numel if count is None else count)
    return b"".join([*head, obj or identity, pickle.dumps(list(keys), 2), length, numbers])  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (stream(bytes(12)), "4 bytes too early"),
        (stream(bytes(16), count=3), "not as long as it says"),
        (stream(bytes(16), numel=2**40), "1099511627776 numbers"),
        (stream(bytes(16), numel=-1), "-1 numbers"),
        (stream(bytes(16), keys=("1",)), "the storage 1 is cut off"),
        (stream(bytes(16), keys=([],)), "the storage a list is cut off"),
        (stream(bytes(16)), "no generator"),
    ],
)
def test_a_stream_that_lies_about_its_storages_is_refused(path: Path, content: bytes, complaint: str) -> None:
    assert complaint in outcome(path, content)


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [((64,), (1,), 1), ((64,), (2,), 0), ((10**12,), (0,), 0), ((64,), (-1,), 0), ((64,), (1,), -1), ((64,), (1,), 10**30)],
)
@pytest.mark.filterwarnings("ignore:TypedStorage")
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(path: Path, size: Any, stride: Any, offset: int) -> None:
    class Lying:
        def __reduce__(self) -> tuple[Any, ...]:
            return torch._utils._rebuild_tensor_v2, (torch.zeros(64).storage(), offset, size, stride, False, {})

    def change(network: Network) -> None:
        network.child("mapping").state["_buffers"]["w_avg"] = Lying()

    message = outcome(path, official_pickle("sg2-32", change=change))
    assert "w_avg should have" in message or "tensor" in message


def archive(compression: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as opened:
        for name, content in members.items():
            opened.writestr(f"a/{name.replace('__', '/').replace('_pkl', '.pkl')}", content)
    return file.getvalue()


def test_an_archive_that_unpacks_to_more_than_a_generator_needs_is_refused(path: Path) -> None:
    assert "larger than" in outcome(path, archive(data_pkl=bytes(2**27)))


def rosinality(numel: int, compression: int) -> bytes:
    """The reference checkpoint with all its tensors in one storage of `numel` zeros, some of them too many for any reader."""
    state = torch.load(REFERENCE / "rosinality-64.pt", weights_only=True)

    class Part:
        def __init__(self, tensor: torch.Tensor) -> None:
            self.place = (0, tuple(tensor.shape), tensor.contiguous().stride(), False, {})

        def __reduce__(self) -> tuple[Any, ...]:
            return torch._utils._rebuild_tensor_v2, (Whole(), *self.place)

    class Whole:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            return ("storage", torch.FloatStorage, "0", "cpu", numel) if isinstance(value, Whole) else None

    described = io.BytesIO()
    parts = {name: Part(tensor) for name, tensor in state["g_ema"].items()}
    Pickler(described, 2).dump({"g_ema": parts, "latent_avg": Part(state["latent_avg"])})
    return archive(compression, data_pkl=described.getvalue(), data__0=bytes(4 * numel))


def test_an_archive_of_zeros_without_end_is_refused_unread(path: Path) -> None:
    """Tensor by tensor it would be unpacked a hundred times."""
    assert outcome(path, rosinality(2**16, zipfile.ZIP_DEFLATED)) == ""
    content = rosinality(2**25, zipfile.ZIP_DEFLATED)
    assert len(content) < 2**18
    assert "far larger than" in outcome(path, content)


def test_tensors_whose_storages_would_be_read_for_minutes_are_refused(path: Path) -> None:
    content = rosinality(2**24, zipfile.ZIP_STORED)
    assert "up to 1073741824 are read" in outcome(path, content)


def test_an_archive_whose_storage_is_longer_shorter_or_missing_is_refused(path: Path) -> None:
    with zipfile.ZipFile(REFERENCE / "rosinality-64.pt") as source:
        contents = {name: source.read(name) for name in source.namelist()}
    (storage,) = [name for name in contents if name.endswith("/data/0")]
    for changed in (contents[storage] + bytes(4), contents[storage][:-4], None):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as opened:
            for name, content in {**contents, storage: changed}.items():
                if content is not None:
                    opened.writestr(name, content)
        message = outcome(path, file.getvalue())
        assert "larger than" in message or "were expected" in message or "missing" in message


BOMBS = {
    "a thousand billion laughs": b"]"
    + b"q\x00"
    + b"".join(b"]q%c(" % i + b"h%c" % (i - 1) * 100 + b"e" for i in range(1, 200))
    + b".",
    "a place in memory far away": b"Nr\xff\xff\xff\xff.",
    "bytes that are not there": b"\x8e" + struct.pack("<Q", 2**62) + b".",
    "text that is not there": b"\x8d" + struct.pack("<Q", 2**40) + b".",
    "a number that is not there": b"\x8b" + struct.pack("<i", 2**31 - 1) + b".",
    "lists in lists": b"]" * 100_000 + b"a" * 99_999 + b".",
    "tuples in tuples": b")" + b"\x85" * 100_000 + b".",
    "tuples in tuples as a key": b"})" + b"\x85" * 100_000 + b"Ns.",
    "a list that contains itself": b"]q\x00h\x00a.",
    "doubled again and again": b"]" + b"2" * 200_000 + b".",
    "more steps than anyone needs": b"N0" * 200_000 + b"N.",
    "marks in marks": b"(" * 100_000 + b"t" * 100_000 + b".",
    "a mark too few": b"t.",
    "nothing to pop": b"0.",
    "an old machine's call": b"(S'echo'\nios\nsystem\n.",
    "an extension": b"\x82\x01.",
    "a call of a number": b"K\x01)R.",
    "a call of a storage": b"ctorch\nFloatStorage\n)R.",
    "a name of numbers": b"K\x01K\x02\x93.",
    "attributes of a list": b"]Nb.",
    "a key in a list": b"]NNs.",
    "an item in a dictionary": b"}Na.",
    "keys that are all alike": b"}("
    + b"".join(b"\x8a\x09" + (i * (2**61 - 1)).to_bytes(9, "little") + b"N" for i in range(2000))
    + b"u.",
    "a protocol of tomorrow": b"\x80\x63N.",
    "a network that is a number": b"\x8c\x17torch_utils.persistence\x8c\x1b_reconstruct_persistent_obj\x93K\x01\x85R.",
    "a dtype that is a structure": b"cnumpy\ndtype\n(X\x08\x00\x00\x00f8,O,i64\x89\x88tR.",
    "a surrogate as a name": b"X\x03\x00\x00\x00\xed\xa0\x80X\x01\x00\x00\x00a\x93.",
    "a name with an escape": b"cos\x1b[31m\nsystem\n.",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_defused_in_little_memory(path: Path, bomb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_pickle, "MOST_STEPS", 250_000)  # measuring memory takes its time
    tracemalloc.start()
    try:
        assert outcome(path, BOMBS[bomb])
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()


def laughs() -> tuple[Any, ...]:
    """A hundred lines of pickle whose text would be longer than all books."""
    laugh: tuple[Any, ...] = ("ha",)
    for _ in range(100):
        laugh = (laugh, laugh)
    return laugh


ATTRIBUTES = {
    "": ["img_channels", "img_resolution", "z_dim", "w_dim", "c_dim", "_modules", "_buffers"],
    "mapping": ["num_layers", "_parameters", "_modules"],
    "mapping.fc0": ["weight_gain", "_parameters"],
    "synthesis": ["_modules"],
}
OF_STYLEGAN2 = {"synthesis.b8": ["architecture", "_modules"], "synthesis.b8.conv0": ["conv_clamp", "activation", "use_noise"]}
OF_STYLEGAN3 = {"synthesis": ["_init_kwargs", "_init_args", "layer_names", "num_layers", "margin_size"]}
ENDLESS = [
    (name, place, attribute)
    for name, places in (("sg2-32", ATTRIBUTES), ("sg3t-32", ATTRIBUTES), ("sg2-32", OF_STYLEGAN2), ("sg3t-32", OF_STYLEGAN3))
    for place, attributes in places.items()
    for attribute in attributes
]


@pytest.mark.parametrize(("name", "place", "attribute"), ENDLESS)
def test_an_attribute_without_end_is_refused_and_not_written_out(path: Path, name: str, place: str, attribute: str) -> None:
    def change(network: Network) -> None:
        for part in filter(None, place.split(".")):
            network = network.child(part)
        network.state[attribute] = laughs()

    assert outcome(path, official_pickle(name, change=change))


@pytest.mark.parametrize("kind", ["_modules", "_parameters", "_buffers"])
def test_a_name_without_end_is_refused_and_not_multiplied(path: Path, kind: str) -> None:
    """The full names of a module's tensors each begin with the module's: thousands of times its length."""

    def change(network: Network) -> None:
        mapping = network.child("mapping")
        mapping.state[kind]["x" * 100_000] = mapping.child("fc0") if kind == "_modules" else torch.zeros(1)

    assert "a name of 100000 characters" in outcome(path, official_pickle("sg2-32", change=change))


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_tensor_described_without_end_is_refused(path: Path, place: int) -> None:
    class Endless:
        def __reduce__(self) -> tuple[Any, ...]:
            described: list[Any] = [torch.zeros(64), 0, (64,), (1,)]
            described[place] = laughs()
            return torch._utils._rebuild_tensor_v2, (*described, False, {})

    def change(network: Network) -> None:
        network.child("mapping").state["_buffers"]["w_avg"] = Endless()

    assert "is called in a way that is not known" in outcome(path, official_pickle("sg2-32", change=change))


def test_more_classes_than_can_be_written_out_are_refused(path: Path) -> None:
    def change(network: Network) -> None:
        network.state["c_dim"] = 10**5000  # Python writes no number of more than 4300 digits

    assert "its c_dim is not that of a generator" in outcome(path, official_pickle("sg2-32", change=change))


def test_very_many_classes_take_no_memory(path: Path) -> None:
    """A label is one of `c_dim` classes: a table of all of them would take their number squared."""
    config = StyleGan2Config(resolution=8, z_dim=2, w_dim=2, mapping_layers=1, channels=[1, 1], c_dim=50_000, label=7)
    tensors = {name: torch.zeros(shape) for name, shape in shapes(config).items()}
    assert build(config, tensors).mapping.label.nonzero().tolist() == [[7]]


QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SNAPSHOT = official_pickle("sg3r-32")
ARCHIVE = (REFERENCE / "rosinality-64.pt").read_bytes()


@QUICK
@given(st.binary(max_size=300))
def test_random_bytes_are_refused_in_one_line(path: Path, content: bytes) -> None:
    assert outcome(path, content)
    assert outcome(path, b"\x80\x04" + content)
    assert outcome(path, b"PK\x03\x04" + content)


OPCODES = [op for op in pickletools.opcodes if op.name != "STOP"]
ARGUMENT = st.sampled_from(
    [b"", b"\x00", b"\x01", b"\x02\x00\x00\x00ab", b"os\nsystem\n", b"1\n", b"\xff\xff\xff\x7f", b"\x04abcd"]
)


@QUICK
@given(st.lists(st.tuples(st.sampled_from(OPCODES), ARGUMENT), max_size=30))
def test_random_programs_run_nothing(program: list[tuple[Any, bytes]]) -> None:
    content = b"".join(op.code.encode("latin-1") + argument for op, argument in program) + b"."
    with watched():
        try:
            read_pickle(io.BytesIO(content), {"os.system": None})
        except Refused as refused:
            assert "\n" not in str(refused)


@QUICK
@given(st.integers(0, len(SNAPSHOT) - 1))
def test_a_truncated_snapshot_is_refused(path: Path, length: int) -> None:
    assert outcome(path, SNAPSHOT[:length])


@QUICK
@given(st.integers(0, len(ARCHIVE) - 1))
def test_a_truncated_archive_is_refused(path: Path, length: int) -> None:
    assert outcome(path, ARCHIVE[:length])


@QUICK
@given(st.lists(st.tuples(st.integers(0, 2**31), st.integers(0, 255)), min_size=1, max_size=8), st.booleans())
def test_a_changed_file_is_a_generator_or_is_refused(path: Path, changes: list[tuple[int, int]], zipped: bool) -> None:
    content = bytearray(ARCHIVE if zipped else SNAPSHOT)
    for place, value in changes:
        # Most of a file is numbers, where a change is no fault: half of the changes go to the first kilobytes.
        content[place % (len(content) if place % 2 else 4000)] = value
    outcome(path, bytes(content))


@QUICK
@given(st.integers(0, len(SNAPSHOT) - 1), st.integers(1, 64), st.binary(max_size=64))
def test_a_file_with_a_part_replaced_is_a_generator_or_is_refused(path: Path, place: int, length: int, part: bytes) -> None:
    outcome(path, SNAPSHOT[:place] + part + SNAPSHOT[place + length :])
