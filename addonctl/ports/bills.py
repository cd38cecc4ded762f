"""What AWS billed."""

from collections.abc import Collection, Iterator
from typing import Protocol

from addonctl.model.bill import BillLine


class Bills(Protocol):
    """Lines of a bill, one after the other: there may be millions."""

    def lines(self, tags: Collection[str]) -> Iterator[BillLine]:
        """Every line once, each with those of `tags` that it has.

        Raises BadInput, also after some lines: for what is no bill, lacks columns (they are named), is not in US
        dollars, or has the same lines twice.
        """
        ...
