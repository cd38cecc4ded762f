"""All clusters of a kubeconfig: read several at once, each by itself."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from addonctl.errors import AddonctlError, BadInput

_AT_ONCE = 4
"""Each reads with several connections already."""
_Read = TypeVar("_Read")


def names(kubeconfig: str) -> tuple[str, ...]:
    """The contexts. Raises BadInput where there are none."""
    from addonctl.adapters.kubeconfig import contexts

    found = contexts(kubeconfig)
    if not found:
        raise BadInput("The kubeconfig has no context", "Give its path with --kubeconfig or KUBECONFIG.")
    return found


def read(readers: Mapping[str, Callable[[], _Read]]) -> dict[str, _Read | AddonctlError]:
    """What each reads, or why it could not, in their order."""

    def tried(reader: Callable[[], _Read]) -> _Read | AddonctlError:
        try:
            return reader()
        except AddonctlError as error:
            return error

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(readers, pool.map(tried, readers.values()), strict=True))
