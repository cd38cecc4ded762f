"""The matrix from the catalog alone: versions of add-ons against Kubernetes minors. Called by `addonctl matrix`."""

from collections.abc import Iterable
from dataclasses import replace

from addonctl.catalog import Catalog, Cell
from addonctl.errors import BadInput
from addonctl.versions import Minor, Version

# Without bounds: this many minors, ending with the newest on EKS.
_MINORS = 6


def matrix(catalog: Catalog, names: Iterable[str], minors: tuple[Minor, ...]) -> tuple[Cell, ...]:
    """Every known version of the named add-ons with each of `minors`: AWS's versions, or else upstream's ranges.

    Raises BadInput for an unknown add-on.
    """
    return tuple(
        replace(cell, version=version)
        for name in names
        for version in _known_versions(catalog, name)
        for cell in (catalog.check(name, version, minor) for minor in minors)
    )


def matrix_minors(catalog: Catalog, oldest: Minor | None, newest: Minor | None) -> tuple[Minor, ...]:
    """The minors from `oldest` to `newest`, inclusive; a missing bound is derived from the newest minor on EKS.

    Raises BadInput when `oldest` is after `newest`.
    """
    last = newest or max(catalog.kubernetes.newest_on_eks, oldest or catalog.kubernetes.newest_on_eks)
    known = sorted(release.version for release in catalog.kubernetes.releases)
    first = oldest or min((known[-_MINORS:] or [last])[0], last)
    if first > last or first.major != last.major:
        raise BadInput(f"Kubernetes {first} to {last} is not a range", "Give the older one with --kubernetes.")
    return (first, *first.up_to(last))


def _known_versions(catalog: Catalog, name: str) -> tuple[Version, ...]:
    addon, eks = catalog.require(name)
    if eks is not None:
        return tuple(version.version for version in eks.versions)
    # The newest version of every release cycle that is known of upstream.
    return tuple(cycle.latest for cycle in addon.lifecycle if cycle.latest) if addon else ()
