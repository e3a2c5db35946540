"""Hardware: runs a generator as fast as this machine can, behind one protocol."""
