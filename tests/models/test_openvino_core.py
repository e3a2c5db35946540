"""OpenVINO leaves signals alone, in whatever order what it compiled is closed."""

import subprocess
import sys

SIGNALLED = """
import gc, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what it puts behind itself deaf to Ctrl-C
import numpy as np, openvino
from openvino import opset13 as ops
from models.openvino_core import openvino_core

def compiled():
    values = ops.parameter([1, 4], np.float32)
    return openvino_core().compile_model(openvino.Model([ops.relu(values)], [values]), "CPU")

first, second, third = compiled(), compiled(), compiled()
for name in ("first", "second", "third"):  # not the reverse of their opening
    del globals()[name]
    gc.collect()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("heard Ctrl-C")
"""


def test_ctrl_c_is_heard_after_models_are_closed_in_the_order_of_their_opening() -> None:
    """In a process of its own: without this, a segmentation fault ended it, and Python could not say anything."""
    done = subprocess.run([sys.executable, "-c", SIGNALLED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "heard Ctrl-C\n"), done.stderr
