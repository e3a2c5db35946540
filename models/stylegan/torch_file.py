"""Reads what `torch.save` and NVIDIA's pickles hold, as plain data with tensors that are loaded one by one.

Three containers: a zip archive with one file per storage (torch ≥ 1.6), the older stream of pickles followed by the storages,
and one plain pickle in which every storage is such a stream of its own. `torch.load` is not used: for the last kind it would run
whatever the file says.
"""

import contextlib
import functools
import mmap
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import torch
from torch import Tensor

from models.errors import UserError
from models.stylegan.foreign_pickle import Name, Refused, Stateful, Vocabulary, read_pickle, readable

LARGEST_FILE: Final = 4 * 2**30  # bytes; the largest official ones have a tenth of that
LARGEST_PICKLE: Final = 64 * 2**20  # bytes of `data.pkl` in an archive: it holds no weights
MOST_UNPACKED: Final = 10  # times an archive's size, beside `LARGEST_PICKLE`: zeros shrink without end, weights hardly
LARGEST_TENSOR: Final = 2**28  # numbers
MOST_AXES: Final = 8
STREAM_MAGIC: Final = 0x1950A86A20F9469CFC6C
STREAM_VERSION: Final = 1001

DTYPES: Final = {
    "torch.FloatStorage": torch.float32,
    "torch.DoubleStorage": torch.float64,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}


@dataclass
class Storage:
    """`numel` numbers in a row, not read yet; `read` gives their bytes."""

    dtype: torch.dtype
    numel: int
    read: Callable[[], bytes]


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A view of a storage, as the file describes it: numbers, but not yet held against what is stored."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def load(self) -> Tensor:
        """The numbers in a tensor of its own. Raises `Refused` where the description does not fit what is stored."""
        storage = self.storage
        count, last = 1, self.offset
        for length, step in zip(self.size, self.stride, strict=True):
            count *= length
            last += (length - 1) * step
        if count == 0:
            return torch.empty(self.size, dtype=storage.dtype)
        if count > storage.numel or last >= storage.numel:
            raise Refused(f"a tensor of {count} numbers lies in a storage of {storage.numel}")
        content = storage.read()
        if len(content) != storage.numel * storage.dtype.itemsize:
            raise Refused(f"{storage.numel * storage.dtype.itemsize} bytes of numbers were expected, {len(content)} are there")
        row = torch.frombuffer(bytearray(content), dtype=storage.dtype)
        return row.as_strided(self.size, self.stride, self.offset).clone(memory_format=torch.contiguous_format)


@dataclass(frozen=True, eq=False)
class PersistentObject:
    """A network of NVIDIA's, as its pickle describes it: class, attributes, and the source text, which is never run."""

    class_name: str
    state: dict[str | int, Any]
    source: str


class NumpyType(Stateful):
    """A dtype of numbers; completed with its byte order."""

    def __init__(self, code: str, _align: bool = False, _copy: bool = False) -> None:
        if not isinstance(code, str) or not re.fullmatch(r"[fiu][1248]|b1", code):
            raise Refused(f"numpy's type '{readable(code)}' is not read; numbers are")
        self.dtype = np.dtype(code)

    def set_state(self, state: object) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "|", "="):
            raise Refused("a numpy type in it is described in a way that is not known")
        self.dtype = self.dtype.newbyteorder(order)


class NumpyArray(Stateful):
    """An array that is passed over: the networks' own are tensors."""

    def set_state(self, state: object) -> None:
        pass


def _scalar(kind: NumpyType, content: bytes) -> object:
    if not isinstance(kind, NumpyType) or len(content) != kind.dtype.itemsize:
        raise ValueError
    return np.frombuffer(content, kind.dtype)[0].item()


def _array(*_: object) -> NumpyArray:
    return NumpyArray()


def _tensor(storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> StoredTensor:
    numbers = (offset, *size, *stride)
    plain = isinstance(size, tuple) and isinstance(stride, tuple) and len(size) == len(stride) <= MOST_AXES
    if not (plain and isinstance(storage, Storage) and all(type(n) is int and 0 <= n < 2**60 for n in numbers)):
        raise ValueError
    return StoredTensor(storage, offset, size, stride)


def _parameter(tensor: StoredTensor, *_: object) -> StoredTensor:
    if not isinstance(tensor, StoredTensor):
        raise ValueError
    return tensor


def _network(description: dict[str | int, Any]) -> PersistentObject:
    if description["type"] != "class":
        raise ValueError
    name, state, source = description["class_name"], description["state"], description["module_src"]
    if not (isinstance(name, str) and isinstance(state, dict) and isinstance(source, str)):
        raise ValueError
    return PersistentObject(name, state, source)


def _dictionary() -> dict[str | int, Any]:
    return {}


def _same(items: object) -> object:
    return items  # not a copy: a file could ask for many


def _storage_in_stream(content: bytes) -> Storage:
    """A storage as NVIDIA's pickles hold it: the bytes of a `torch.save` stream of its own."""
    storage = _read_stream(BytesIO(content), len(content), STORAGES)
    if not isinstance(storage, Storage):
        raise Refused("a storage was expected in it, something else is there")
    return storage


STORAGES: Final[Vocabulary] = dict.fromkeys(DTYPES)
VOCABULARY: Final[Vocabulary] = {
    **STORAGES,
    "collections.OrderedDict": _dictionary,
    "dnnlib.util.EasyDict": _dictionary,
    "argparse.Namespace": _dictionary,
    "builtins.set": _same,
    "__builtin__.set": _same,
    "torch.Size": _same,
    "numpy.dtype": NumpyType,
    "numpy.ndarray": None,
    **{f"numpy.{core}.multiarray.scalar": _scalar for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray._reconstruct": _array for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": _array for core in ("core", "_core")},  # protocol 5
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch_utils.persistence._reconstruct_persistent_obj": _network,
}


def _vocabulary() -> Vocabulary:
    """For one file. What takes time is done once for the same content, however often a pickle refers to it: reading the stream of
    a storage, and encoding text, which is how pickles of protocol 2 write bytes."""
    known: dict[str, bytes] = {}
    storages: dict[bytes, Storage] = {}

    def encode(text: str, encoding: str) -> bytes:
        if encoding not in ("latin1", "latin-1"):
            raise ValueError
        if text not in known:
            known[text] = text.encode("latin-1")
        return known[text]

    def storage(content: bytes) -> Storage:
        if not isinstance(content, bytes):
            raise ValueError
        if content not in storages:
            storages[content] = _storage_in_stream(content)
        return storages[content]

    return {**VOCABULARY, "_codecs.encode": encode, "torch.storage._load_from_bytes": storage}


@contextlib.contextmanager
def open_foreign(path: Path) -> Iterator[object]:
    """The value in a `.pkl` or `.pt` file; tensors in it can be loaded until the block ends.

    Raises `UserError`, with one line, for a file that can't be read and for whatever turns out wrong inside the block.
    """
    if not path.is_file():  # a folder, or a device or pipe that never ends
        raise UserError(f"{path} can't be read, it is no file; name a .pkl or .pt file of StyleGAN2 or 3")
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if not 0 < size <= LARGEST_FILE:
                raise Refused("the file is empty" if size == 0 else f"the file is larger than {LARGEST_FILE // 2**30} GiB")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                yield _read(content, file, size)
    except OSError as error:
        raise UserError(f"{path} can't be read ({error.strerror or error}); name a .pkl or .pt file of StyleGAN2 or 3") from error
    except Refused as error:
        raise UserError(f"{path} is not read: {error}; {error.advice or _advice(str(error))}") from error
    except (MemoryError, RecursionError) as error:
        raise UserError(f"{path} is not read: it asks for more memory than there is; get it again from its source") from error


def _advice(reason: str) -> str:
    if "dnnlib.tflib" in reason:
        return "it is of the TensorFlow versions: turn it into a .pkl for PyTorch with legacy.py of NVlabs/stylegan3 first"
    return "name a .pkl of NVIDIA's StyleGAN2 or StyleGAN3 for PyTorch, or a .pt of rosinality's StyleGAN2 (docs/generators.md)"


def _read(content: mmap.mmap, file: BinaryIO, size: int) -> object:
    start = content[:64]
    if start.startswith(b"PK\x03\x04"):
        return _read_archive(file, size)
    if start.lstrip().startswith(b"<") or start.startswith(b"version https://git-lfs"):
        raise Refused("it is a page or a note that stands for the file, not the file itself", "download it again")
    if _is_stream(content):
        return _read_stream(content, size, _vocabulary())
    return read_pickle(content, _vocabulary())


def _is_stream(content: mmap.mmap) -> bool:
    try:
        return read_pickle(content, {}) == STREAM_MAGIC
    except Refused:
        return False
    finally:
        content.seek(0)


def _read_stream(content: Any, size: int, vocabulary: Vocabulary) -> object:
    """The older format of `torch.save`: five pickles, then for every storage its length and its numbers."""
    if read_pickle(content, {}) != STREAM_MAGIC or read_pickle(content, {}) != STREAM_VERSION:
        raise Refused("a torch stream of version 1001 was expected, something else is there")
    system = read_pickle(content, {})
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise Refused("its numbers are not in little-endian order")
    storages: dict[str, Storage] = {}

    def persistent(identity: object) -> Storage:
        if not (isinstance(identity, tuple) and len(identity) in (5, 6)) or identity[5:] not in ((), (None,)):
            raise Refused("a storage in it is described in a way that is not known")
        key, dtype, numel = _described(identity)
        return storages.setdefault(key, Storage(dtype, numel, bytes))

    value = read_pickle(content, vocabulary, persistent)
    keys = read_pickle(content, {})
    if not isinstance(keys, list):
        raise Refused("a list of its storages was expected, something else is there")
    for key in keys:
        head = content.read(8)
        storage = storages.get(key) if isinstance(key, str) else None
        if storage is None or len(head) != 8 or int.from_bytes(head, "little") != storage.numel:
            raise Refused(f"the storage {readable(key)} is cut off, or not as long as it says")
        start, length = content.tell(), storage.numel * storage.dtype.itemsize
        if start + length > size:
            raise Refused(f"it ends {start + length - size} bytes too early")
        storage.read = _part(content, start, length)
        content.seek(start + length)
    return value


def _part(content: Any, start: int, length: int) -> Callable[[], bytes]:
    def read() -> bytes:
        content.seek(start)
        part: bytes = content.read(length)
        return part

    return read


def _described(identity: tuple[Any, ...]) -> tuple[str, torch.dtype, int]:
    """Key, type and length of ('storage', type, key, place, length): everything checked. Raises `Refused`."""
    word, kind, key, _place, numel = identity[:5]
    dtype = DTYPES.get(kind.text) if isinstance(kind, Name) else None
    if word != "storage" or dtype is None or not isinstance(key, str) or not re.fullmatch(r"\w{1,64}", key):
        raise Refused("a storage in it is described in a way that is not known")
    if type(numel) is not int or not 0 <= numel <= LARGEST_TENSOR:
        raise Refused(f"a storage in it should hold {readable(numel)} numbers; up to {LARGEST_TENSOR} are read")
    return key, dtype, numel


BROKEN_ARCHIVE: Final = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, KeyError)


def _read_archive(file: BinaryIO, size: int) -> object:
    """The newer format of `torch.save`: `NAME/data.pkl` and a member `NAME/data/KEY` per storage, stored or compressed."""
    try:
        archive = zipfile.ZipFile(file)
        members = {info.filename: info for info in archive.infolist()}
        roots = [name.removesuffix("data.pkl") for name in members if re.fullmatch(r"[^/]+/data\.pkl", name)]
    except BROKEN_ARCHIVE as error:
        raise Refused(f"the archive is damaged or cut short ({readable(str(error))})") from error
    unpacked = sum(info.file_size for info in members.values())
    if unpacked > LARGEST_PICKLE + MOST_UNPACKED * size:
        raise Refused(f"it would unpack to {unpacked} bytes, far larger than the {size} of the file")
    if len(roots) != 1:
        raise Refused("an archive of torch.save has one data.pkl, this one has " + (str(len(roots)) if roots else "none"))
    root = roots[0]

    @functools.lru_cache(maxsize=1)  # tensors that share a storage are loaded one after the other
    def member(name: str, most: int) -> bytes:
        info = members.get(root + name)
        if info is None or info.file_size > most:
            raise Refused(f"its member {readable(name)} is " + ("missing" if info is None else f"larger than {most} bytes"))
        try:
            with archive.open(info) as opened:
                return opened.read(most + 1)
        except BROKEN_ARCHIVE as error:
            raise Refused(f"its member {readable(name)} is damaged ({readable(str(error))})") from error

    if "byteorder" in {name.removeprefix(root) for name in members} and member("byteorder", 16).strip() != b"little":
        raise Refused("its numbers are not in little-endian order")

    storages: dict[tuple[str, torch.dtype, int], Storage] = {}

    def persistent(identity: object) -> Storage:
        if not (isinstance(identity, tuple) and len(identity) == 5):
            raise Refused("a storage in it is described in a way that is not known")
        key, dtype, numel = described = _described(identity)
        read = functools.partial(member, f"data/{key}", numel * dtype.itemsize)
        return storages.setdefault(described, Storage(dtype, numel, read))

    return read_pickle(BytesIO(member("data.pkl", LARGEST_PICKLE)), _vocabulary(), persistent)
