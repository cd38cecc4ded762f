"""What the core asks of the world, as small questions in our own types. adapters/ answers them; sim/ will too."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called while reading: what is being read, how many parts are done, how many there are. Must not raise."""


def silent(what: str, done: int, total: int) -> None:
    """The Progress that shows nothing."""
