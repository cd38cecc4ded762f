"""Which object belongs to which installation: its workloads, what points to them, and what the catalog names.

Decided from the Inventory, the Catalog and the references between objects. Called by find_dependencies.
"""

from collections.abc import Iterable, Iterator, Mapping

from addonctl.catalog import Catalog
from addonctl.model import Edge, EdgeType, Inventory, ObjectRef, Service, View, Workload

# Relations whose source belongs to the add-on of the target: a webhook configuration belongs to what serves it.
_SERVED_BY = (EdgeType.SELECTOR, EdgeType.WEBHOOK, EdgeType.API_SERVICE, EdgeType.CONVERSION)
# Labels that show whose a Service is, even if its selector is wrong.
_NAMES = ("k8s-app", "app.kubernetes.io/name", "app")


def find_owners(view: View, inventory: Inventory, catalog: Catalog, edges: Iterable[Edge]) -> dict[ObjectRef, str]:
    """Object → the id of its installation; of several candidates, the first."""
    listed = tuple(edges)
    owned = {ref: row.id for row in inventory.installations for ref in row.workloads}
    for ref, owner in (*_named_by_catalog(view, inventory, catalog), *_named_by_labels(view, owned)):
        owned.setdefault(ref, owner)
    _follow_services(listed, owned)
    _follow_workloads(listed, owned)
    return owned


def _named_by_catalog(view: View, inventory: Inventory, catalog: Catalog) -> Iterator[tuple[ObjectRef, str]]:
    """CRDs by group, CSI drivers by name."""
    first: dict[str, str] = {}
    for row in inventory.installations:
        first.setdefault(row.addon, row.id)
    present = [(addon, first[addon.id]) for addon in catalog.addons.values() if addon.id in first]
    groups: dict[str, str] = {}
    for addon, row_id in present:
        for group in addon.fingerprints.crd_groups:
            groups.setdefault(group, row_id)
    for crd in view.snapshot.crds:
        if crd.group in groups:
            yield crd.ref, groups[crd.group]
    for addon, row_id in present:
        for driver in addon.fingerprints.csi_drivers:
            yield ObjectRef.of("CSIDriver", driver), row_id


def _named_by_labels(view: View, owned: Mapping[ObjectRef, str]) -> Iterator[tuple[ObjectRef, str]]:
    """Services that select nothing belong to the add-on whose workload has the same labels."""
    labelled = _labelled(view.workloads[ref] for ref in owned if ref in view.workloads)
    for ref, workloads in view.behind.items():
        if not workloads:
            yield from ((ref, owned[alike]) for alike in _alike(view.services[ref], labelled))


_Labelled = Mapping[tuple[str, str, str], list[tuple[Mapping[str, str], ObjectRef]]]


def _labelled(workloads: Iterable[Workload]) -> _Labelled:
    """(namespace, label, value) → the naming labels of workloads that have it; of equal ones, the first."""
    found: dict[tuple[str, str, str], list[tuple[Mapping[str, str], ObjectRef]]] = {}
    known: set[tuple[str, ...]] = set()
    for workload in workloads:
        labels = {**workload.template.labels, **workload.labels}
        naming = {key: labels[key] for key in _NAMES if key in labels}
        signature = (workload.namespace, *(word for pair in naming.items() for word in pair))
        if signature in known:
            continue
        known.add(signature)
        for key, value in naming.items():
            found.setdefault((workload.namespace, key, value), []).append((naming, workload.ref))
    return found


def _alike(service: Service, labelled: _Labelled) -> Iterator[ObjectRef]:
    """The first workload that has the same values as a Service for all naming labels that both have."""
    named = [(key, service.labels[key]) for key in _NAMES if key in service.labels]
    for key, value in named:
        for naming, ref in labelled.get((service.namespace, key, value), ()):
            if all(naming.get(other, wanted) == wanted for other, wanted in named):
                yield ref
                return


def _follow_services(edges: Iterable[Edge], owned: dict[ObjectRef, str]) -> None:
    """What points to an add-on's objects belongs to it: webhook configuration → Service → Deployment."""
    leading = [edge for edge in edges if edge.type in _SERVED_BY]
    for _ in _SERVED_BY:  # a chain is at most this long
        for edge in leading:
            if edge.target in owned:
                owned.setdefault(edge.source, owned[edge.target])


def _follow_workloads(edges: Iterable[Edge], owned: dict[ObjectRef, str]) -> None:
    """ServiceAccounts, scalers and volume claims of an add-on's pods belong to it; StorageClasses to none."""
    for edge in edges:
        if edge.type in (EdgeType.SERVICE_ACCOUNT, EdgeType.CLAIM) and edge.source in owned:
            owned.setdefault(edge.target, owned[edge.source])
        elif edge.type is EdgeType.SCALE_TARGET and edge.target in owned:
            owned.setdefault(edge.source, owned[edge.target])
