"""Dependencies: typed edges between objects, and derived from them between add-ons; and what is missing.

Decided from a View, its Inventory and the Catalog. An edge says what is affected when its target fails: what runs, or
only changes. Called by assessment.py and by `addonctl deps`.
"""

from addonctl.catalog import Catalog
from addonctl.dependencies.admission import admits, find_admission, find_deadlocks
from addonctl.dependencies.belonging import find_owners
from addonctl.dependencies.dangling import find_dangling
from addonctl.dependencies.graph import (
    AddOnRequirement,
    Dependencies,
    Dependency,
    Impact,
    find_between,
    find_circles,
    in_order,
    reached,
    weight,
)
from addonctl.dependencies.references import find_references
from addonctl.model import Inventory, View

__all__ = [
    "AddOnRequirement",
    "Dependencies",
    "Dependency",
    "Impact",
    "admits",
    "find_dangling",
    "find_dependencies",
    "reached",
    "weight",
]


def find_dependencies(view: View, inventory: Inventory, catalog: Catalog) -> Dependencies:
    """The edges between a cluster's objects and between its installations, with the findings on them."""
    references = find_references(view, catalog)
    owned = find_owners(view, inventory, catalog, references)
    edges = tuple(dict.fromkeys((*references, *find_admission(view, owned))))
    addons = find_between(view, inventory, catalog, edges, owned)
    order, circles = in_order(inventory, addons)
    ids = {row.id for row in inventory.installations}
    assert set(order) == ids, f"{len(order)} in order, {len(ids)} installations"
    return Dependencies(
        edges=edges,
        addons=addons,
        order=order,
        cycles=circles,
        owners=owned,
        findings=(*find_deadlocks(edges, owned, inventory), *find_circles(circles)),
    )
