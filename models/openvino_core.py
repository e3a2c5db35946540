"""OpenVINO, opened once in a process and never closed before it ends.

Its processor plugin gives the thread that opens it a stack of its own for signals, and takes it away when it is closed. Two of
them closed in another order than the reverse of their opening leave the thread with a stack that is freed, and the next signal,
a Ctrl-C say, ends the process with a segmentation fault.
"""

import functools

import openvino


@functools.cache
def openvino_core() -> openvino.Core:
    """The one of this process; what is compiled with it may be closed in any order."""
    return openvino.Core()
