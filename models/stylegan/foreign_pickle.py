"""Reads pickles of strangers as plain data: nothing in them is imported, called or executed.

A pickle is a program for a small stack machine, and Python's own machine runs any function that the program names. This one
knows numbers, text, bytes and plain containers. A name must be in the caller's `vocabulary`, which says what *our* code makes of
a call; every other name is refused when it is met. Instructions are parsed by the standard library's `pickletools`.

Memory stays in proportion to the file: lengths are checked against what is there, nothing is copied by references, and there are
at most `MOST_STEPS` instructions. There is no recursion, so deep nesting is no danger here; whoever walks the result should
bear in mind that it may be deep, and may contain itself.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

MOST_STEPS: Final = 1_000_000  # some twenty times what the largest official files need
NEWEST_PROTOCOL: Final = 5
LARGEST_KEY: Final = 2**60

Constructor = Callable[..., object]
Vocabulary = Mapping[str, Constructor | None]
"""Full name → what a call of it makes here; None: it may be mentioned, not called. A constructor raises `Refused`."""


class Refused(Exception):  # noqa: N818 (it is no error of ours)
    """Why a file is not read, in one line for people; `advice` is what to do, where that is special."""

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.advice = advice


class Source(Protocol):
    """A binary file or an `mmap`; it is left right behind the pickle."""

    def read(self, n: int, /) -> bytes: ...

    def readline(self) -> bytes: ...

    def tell(self) -> int: ...


@dataclass(frozen=True)
class Name:
    """A class or function that the pickle mentions."""

    text: str


class Stateful:
    """A value that a pickle completes after making it (BUILD)."""

    def set_state(self, state: object) -> None:
        """Raises `Refused`."""
        raise NotImplementedError


def readable(value: object) -> str:
    """A stranger's value for a message: one line, short, printable everywhere; of containers, which may be endless, the type."""
    if isinstance(value, (bool, float, type(None))) or (isinstance(value, int) and abs(value) < LARGEST_KEY):
        return str(value)
    shown = ascii(value)[1:-1] if isinstance(value, str) else f"a {type(value).__name__}"
    return shown if len(shown) <= 80 else shown[:77] + "..."


def read_pickle(source: Source, vocabulary: Vocabulary, persistent: Callable[[object], object] | None = None) -> object:
    """The value of the pickle that starts at the source's place.

    `persistent` turns persistent ids (of `torch.save`) into values. Sets come out as lists, attributes put on a dictionary are
    dropped. Raises `Refused` for everything that is not plain or not whole.
    """
    machine = _Machine(vocabulary, persistent)
    steps = 0
    try:
        for instruction, argument, _ in pickletools.genops(source):  # type: ignore[arg-type]  # typeshed asks for IO[bytes]
            steps += 1
            if steps > MOST_STEPS:
                raise Refused(f"it takes more than {MOST_STEPS} steps to read, far more than a generator needs")
            machine.step(instruction.name, argument)
    except (ValueError, IndexError, OverflowError) as error:  # pickletools' word for cut and senseless instructions
        raise Refused(f"the pickle is damaged or cut short ({readable(str(error))})") from error
    return machine.result


PUSHED: Final = (
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
    | {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)
CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
TUPLES: Final = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass
class _Machine:
    vocabulary: Vocabulary
    persistent: Callable[[object], object] | None
    result: object = None
    stack: list[Any] = field(default_factory=list)
    marks: list[list[Any]] = field(default_factory=list)  # the stacks below each mark
    memo: dict[int, object] = field(default_factory=dict)

    def step(self, instruction: str, argument: Any) -> None:
        """One instruction. Raises IndexError on an empty stack, `Refused` for what is not plain."""
        stack = self.stack
        if instruction in PUSHED:
            stack.append(argument)
        elif instruction in CONSTANTS:
            stack.append(CONSTANTS[instruction])
        elif instruction in TUPLES:
            self._push_tuple(TUPLES[instruction])
        else:
            method = _METHODS.get(instruction)
            if method is None:
                raise Refused(f"the instruction {instruction} has no place in a file of weights")
            method(self, argument)

    def _push_tuple(self, length: int) -> None:
        first = len(self.stack) - length
        if first < 0:
            raise IndexError("a tuple of more than there is")
        self.stack[first:] = [tuple(self.stack[first:])]

    def _since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def mark(self, _: object) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def protocol(self, version: int) -> None:
        if version > NEWEST_PROTOCOL:
            raise Refused(f"a pickle of protocol {NEWEST_PROTOCOL} or older was expected, this one says {version}")

    def frame(self, _: object) -> None:
        pass  # frames only help buffering

    def stop(self, _: object) -> None:
        self.result = self.stack.pop()

    def pop(self, _: object) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._since_mark()

    def pop_mark(self, _: object) -> None:
        self._since_mark()

    def dup(self, _: object) -> None:
        self.stack.append(self.stack[-1])

    def push_list(self, _: object) -> None:
        self.stack.append([])

    def push_dict(self, _: object) -> None:
        self.stack.append({})

    def list_since_mark(self, _: object) -> None:
        items = self._since_mark()
        self.stack.append(items)

    def tuple_since_mark(self, _: object) -> None:
        items = self._since_mark()
        self.stack.append(tuple(items))

    def dict_since_mark(self, _: object) -> None:
        items = self._since_mark()
        self.stack.append({})
        self._set(items)

    def append(self, _: object) -> None:
        self._extend([self.stack.pop()])

    def appends(self, _: object) -> None:
        self._extend(self._since_mark())

    def _extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise Refused(f"something is appended to {readable(self.stack[-1])}, which is no list")
        self.stack[-1].extend(items)

    def set_item(self, _: object) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def set_items(self, _: object) -> None:
        self._set(self._since_mark())

    def _set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise Refused(f"a key is set in {readable(target)}, which is no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Tuples could be nested too deep to be hashed; long numbers could be chosen so that all have the same hash.
            if not isinstance(key, str) and not (isinstance(key, int) and abs(key) < LARGEST_KEY):
                raise Refused(f"a dictionary has the key {readable(key)}; text and small numbers are read")
            target[key] = value

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def memoize(self, _: object) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise IndexError(f"nothing was memorised as {index}")
        self.stack.append(self.memo[index])

    def name(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._push_name(module, name)

    def name_from_stack(self, _: object) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._push_name(module, name)

    def _push_name(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise Refused("a name in it is not text")
        full = f"{module}.{name}"
        if full not in self.vocabulary:
            raise Refused(f"it asks for '{readable(full)}', which is not on the list of what is read")
        self.stack.append(Name(full))

    def call(self, _: object) -> None:
        arguments, callee = self.stack.pop(), self.stack.pop()
        if not isinstance(callee, Name) or not isinstance(arguments, tuple):
            raise Refused(f"it calls {readable(callee)}, which is no name")
        constructor = self.vocabulary[callee.text]
        if constructor is None:
            raise Refused(f"it calls '{readable(callee.text)}', which may only be mentioned")
        try:
            self.stack.append(constructor(*arguments))
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise Refused(f"'{readable(callee.text)}' is called in a way that is not known") from error

    def build(self, _: object) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Stateful):
            target.set_state(state)
        elif type(target) is not dict:
            raise Refused(f"it sets attributes of {readable(target)}")

    def persistent_id(self, _: object) -> None:
        if self.persistent is None:
            raise Refused("it refers to something outside of itself")
        self.stack.append(self.persistent(self.stack.pop()))


_METHODS: Final[dict[str, Callable[[_Machine, Any], None]]] = {
    "PROTO": _Machine.protocol,
    "FRAME": _Machine.frame,
    "STOP": _Machine.stop,
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.pop_mark,
    "DUP": _Machine.dup,
    "EMPTY_LIST": _Machine.push_list,
    "EMPTY_DICT": _Machine.push_dict,
    "EMPTY_SET": _Machine.push_list,
    "LIST": _Machine.list_since_mark,
    "FROZENSET": _Machine.list_since_mark,
    "TUPLE": _Machine.tuple_since_mark,
    "DICT": _Machine.dict_since_mark,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "ADDITEMS": _Machine.appends,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "PUT": _Machine.put,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.memoize,
    "GET": _Machine.get,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.name_from_stack,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persistent_id,
}
