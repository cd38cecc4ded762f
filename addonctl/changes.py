"""What changed among the add-ons of a cluster between two snapshots. Called by `addonctl snapshot diff`."""

from collections.abc import Iterator
from dataclasses import dataclass

from addonctl.model import Installation, Inventory
from addonctl.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference of an installation (version, owner or namespaces), in words."""

    id: str
    addon: str
    what: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryChanges:
    """Installations that were added, removed or changed."""

    added: tuple[Installation, ...]
    removed: tuple[Installation, ...]
    changed: tuple[Change, ...]


def compare(old: Inventory, new: Inventory) -> InventoryChanges:
    """The differences between two inventories, matched by the ids of installations."""
    before = {row.id: row for row in old.installations}
    after = {row.id: row for row in new.installations}
    return InventoryChanges(
        added=tuple(row for row_id, row in after.items() if row_id not in before),
        removed=tuple(row for row_id, row in before.items() if row_id not in after),
        changed=tuple(c for row_id, row in after.items() if row_id in before for c in _changes(before[row_id], row)),
    )


def _text(version: Version | None) -> str | None:
    return str(version) if version else None


def _changes(was: Installation, now: Installation) -> Iterator[Change]:
    pairs = (
        ("version", _text(was.version), _text(now.version)),
        ("owner", str(was.owner), str(now.owner)),
        ("namespaces", ", ".join(was.namespaces), ", ".join(now.namespaces)),
    )
    for what, old, new in pairs:
        if old != new:
            yield Change(id=now.id, addon=now.addon, what=what, old=old, new=new)
