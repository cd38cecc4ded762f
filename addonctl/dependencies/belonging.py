"""Which object belongs to which installation: its workloads, what leads to them, and what the catalog names.

Decided from the Inventory, the Catalog and the references between objects. Called by find_dependencies.
"""

from collections.abc import Iterable, Iterator, Mapping

from addonctl.catalog import Catalog
from addonctl.model import Edge, EdgeType, Inventory, ObjectRef, Service, View, Workload

# What belongs to the add-on that it leads to: who asks a webhook configuration asks what serves it.
_SERVED_BY = (EdgeType.SELECTOR, EdgeType.WEBHOOK, EdgeType.API_SERVICE, EdgeType.CONVERSION)
# Labels by which a Service whose selector is wrong still says whose it is.
_NAMES = ("k8s-app", "app.kubernetes.io/name", "app")


def find_owners(view: View, inventory: Inventory, catalog: Catalog, edges: Iterable[Edge]) -> dict[ObjectRef, str]:
    """Object → the id of its installation; of several that could have it, the first."""
    listed = tuple(edges)
    owned = {ref: row.id for row in inventory.installations for ref in row.workloads}
    for ref, owner in (*_named_by_catalog(view, inventory, catalog), *_named_by_labels(view, owned)):
        owned.setdefault(ref, owner)
    _follow_services(listed, owned)
    _follow_workloads(listed, owned)
    return owned


def _named_by_catalog(view: View, inventory: Inventory, catalog: Catalog) -> Iterator[tuple[ObjectRef, str]]:
    """CRDs by their group, CSI drivers by their name."""
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
    """Services that select nothing belong to the add-on whose workload is labelled as they are."""
    labelled = _labelled(view.workloads[ref] for ref in owned if ref in view.workloads)
    for ref, workloads in view.behind.items():
        if not workloads:
            yield from ((ref, owned[alike]) for alike in _alike(view.services[ref], labelled))


_Labelled = Mapping[tuple[str, str, str], list[tuple[Mapping[str, str], ObjectRef]]]


def _labelled(workloads: Iterable[Workload]) -> _Labelled:
    """(namespace, label, value) → the naming labels of workloads that carry it; of those with the same, the first."""
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
    """The first workload that agrees with a Service in all naming labels that both have."""
    named = [(key, service.labels[key]) for key in _NAMES if key in service.labels]
    for key, value in named:
        for naming, ref in labelled.get((service.namespace, key, value), ()):
            if all(naming.get(other, wanted) == wanted for other, wanted in named):
                yield ref
                return


def _follow_services(edges: Iterable[Edge], owned: dict[ObjectRef, str]) -> None:
    """What leads to an add-on's objects is its own: webhook configuration → Service → Deployment."""
    leading = [edge for edge in edges if edge.type in _SERVED_BY]
    for _ in _SERVED_BY:  # a chain is at most this long
        for edge in leading:
            if edge.target in owned:
                owned.setdefault(edge.source, owned[edge.target])


def _follow_workloads(edges: Iterable[Edge], owned: dict[ObjectRef, str]) -> None:
    """What an add-on's pods run as, what scales them, and their claims are its own; classes are nobody's."""
    for edge in edges:
        if edge.type in (EdgeType.SERVICE_ACCOUNT, EdgeType.CLAIM) and edge.source in owned:
            owned.setdefault(edge.target, owned[edge.source])
        elif edge.type is EdgeType.SCALE_TARGET and edge.target in owned:
            owned.setdefault(edge.source, owned[edge.target])
