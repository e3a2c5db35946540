"""What every sound source offers the show."""

from typing import Protocol

from realtime.sound.ring import Ring


class Source(Protocol):
    """Writes its samples into `ring` from the moment it is started, at the ring's own rate and channel count."""

    ring: Ring

    @property
    def description(self) -> str:
        """Which device or file, for people."""
        ...

    @property
    def health(self) -> str:
        """Empty while all is well, otherwise one line that says what is missing."""
        ...

    @property
    def finished(self) -> bool:
        """True when nothing will ever come again."""
        ...

    @property
    def overruns(self) -> int:
        """Times the device reported that it lost input."""
        ...

    def start(self) -> None:
        """Begin to write, from a thread of the source's own."""
        ...

    def close(self) -> None:
        """Let go of the device; calling it again does nothing."""
        ...
