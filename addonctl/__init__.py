"""addonctl: the add-on manager for Amazon EKS.

from addonctl import open_manager
print(open_manager(context="prod-eu-1").analyze_addon_ecosystem().total_addons)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from addonctl.apps.wiring import open_manager
    from addonctl.errors import AddonctlError
    from addonctl.manager import Manager

__version__ = "0.1.0"
__all__ = ["AddonctlError", "Manager", "__version__", "open_manager"]

_DOORS = {
    "open_manager": "addonctl.apps.wiring",
    "Manager": "addonctl.manager",
    "AddonctlError": "addonctl.errors",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used, so that `--help` pays for none of them."""
    if name not in _DOORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_DOORS[name]), name)


def __dir__() -> "list[str]":  # in quotes: __main__.py must be reached under an old Python
    return sorted(__all__)
