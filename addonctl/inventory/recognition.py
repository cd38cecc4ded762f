"""Which add-on a workload belongs to, by the catalog's fingerprints.

An image that only the add-on runs decides; if images are renamed or pinned by digest, two independent traces (chart,
labels, name) do. A sidecar, an init container or a Job never proves an add-on: it may only belong to one.
Called by the inventory.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from addonctl import images
from addonctl.catalog import AddOn, Catalog, ChartInstall, Role
from addonctl.model import CustomResourceDefinition, Evidence, KubernetesObject, Workload

# The weight of a trace; at TELLING the add-on is recognised without its image.
_CHART, _LABELS, _NAME, _IMAGE = 2, 1, 1, 4
TELLING = 2
# A chart name this short is used by many; it must contain the add-on's id to be conclusive alone.
_GENERIC_CHART = len("gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A recognised workload. `core`: proves that the add-on is installed; otherwise it may be a part of it.

    `components` are the catalog's image paths that its containers match: a second copy of an add-on runs the same
    ones, from any mirror. `chart` is the add-on's chart named by a label, `named` the usual workload whose name it has;
    empty if there is none.
    """

    addon: str
    workload: Workload
    core: bool
    weight: int
    components: frozenset[str]
    chart: str
    named: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class _Print:
    """An image of an add-on: the suffix of its repository path, and what it proves."""

    addon: str
    role: Role
    path: str


class Recogniser:
    """The catalog's fingerprints, indexed for one scan."""

    def __init__(self, catalog: Catalog) -> None:
        self._by_path: dict[str, tuple[_Print, ...]] = {}
        self._prints: dict[str, list[_Print]] = {}  # by the last word of the path
        self._names: dict[tuple[str, str], list[str]] = {}
        self._charts: dict[str, list[tuple[AddOn, ChartInstall]]] = {}
        self._labels: dict[str, list[tuple[str, Mapping[str, str]]]] = {}
        self._crd_groups: dict[str, list[str]] = {}
        self._webhooks: dict[str, list[str]] = {}
        for addon in catalog.addons.values():
            self._index(addon)

    def _index(self, addon: AddOn) -> None:
        prints = addon.fingerprints
        for image in prints.images:
            known = _Print(addon.id, image.role, image.path)
            self._prints.setdefault(images.last_word(image.path), []).append(known)
        for workload in prints.workloads:
            self._names.setdefault((workload.kind, workload.name), []).append(addon.id)
        for chart in addon.install.charts:
            self._charts.setdefault(chart.name, []).append((addon, chart))
        for labels in prints.labels:
            self._labels.setdefault(next(iter(labels)), []).append((addon.id, labels))
        for group in prints.crd_groups:
            self._crd_groups.setdefault(group, []).append(addon.id)
        for name in prints.webhooks:
            self._webhooks.setdefault(name, []).append(addon.id)

    # ── Workloads ───────────────────────────────────────────────────────────────────────────────────────────────

    def match(self, workload: Workload) -> Match | None:
        """The add-on that this workload belongs to; the one with the best evidence if several are possible."""
        matches = [self._weigh(addon, workload) for addon in self._candidates(workload)]
        return max(filter(None, matches), key=lambda match: (match.core, match.weight), default=None)

    def _image_prints(self, reference: str) -> tuple[_Print, ...]:
        """The add-on images that this image may be."""
        path = images.parse(reference).path
        known = self._by_path.get(path)
        if known is None:
            likely = self._prints.get(images.last_word(path), ())
            known = tuple(each for each in likely if images.path_matches(path, each.path))
            self._by_path[path] = known
        return known

    def _candidates(self, workload: Workload) -> list[str]:
        """Add-ons with any trace, in a stable order."""
        found = [each.addon for c in workload.template.containers for each in self._image_prints(c.image)]
        found += self._names.get((workload.kind, workload.name), [])
        for labels in (workload.labels, workload.template.labels):
            found += [addon.id for addon, _ in self._charts_named(labels)]
            found += [a for key in labels for a, wanted in self._labels.get(key, ()) if _has(labels, wanted)]
        return list(dict.fromkeys(found))

    def _weigh(self, addon: str, workload: Workload) -> Match | None:
        traces = self._traces(addon, workload)
        own = [
            (number, container, each)
            for number, container in enumerate(workload.template.containers)
            for each in self._image_prints(container.image)
            if each.addon == addon
        ]
        if not own and traces.weight < TELLING:
            return None
        proven = any(
            each.role is Role.CORE and not container.init and (number == 0 or traces.weight > 0)
            for number, container, each in own
        )
        seen = (_seen("image", workload, container.image) for _, container, _ in own)
        return Match(
            addon=addon,
            workload=workload,
            core=(proven or not own) and workload.kind not in ("Job", "CronJob"),
            weight=traces.weight + (_IMAGE if proven else 0),
            components=frozenset(each.path for _, _, each in own),
            chart=traces.chart,
            named=traces.named,
            evidence=tuple(dict.fromkeys((*seen, *traces.evidence))),
        )

    def _traces(self, addon: str, workload: Workload) -> "_Traces":
        both = {**workload.template.labels, **workload.labels}
        weight, chart, named, seen = 0, "", "", []
        charts = [(each, known) for each, known in self._charts_named(both) if each.id == addon]
        if charts:
            weight, chart = weight + max(_chart_weight(*each) for each in charts), charts[0][1].name
            seen.append(_seen("chart", workload, chart_label(both)))
        wanted = next((w for key in both for a, w in self._labels.get(key, ()) if a == addon and _has(both, w)), None)
        if wanted is not None:
            weight += _LABELS
            seen.append(_seen("label", workload, ", ".join(f"{key}={both[key]}" for key in wanted)))
        if addon in self._names.get((workload.kind, workload.name), ()):
            weight, named = weight + _NAME, workload.name
            seen.append(_seen("name", workload, f"{workload.kind} {workload.name}"))
        return _Traces(weight, chart, named, tuple(seen))

    # ── Charts and cluster-wide objects ─────────────────────────────────────────────────────────────────────────

    def _charts_named(self, labels: Mapping[str, str]) -> list[tuple[AddOn, ChartInstall]]:
        """The catalog's charts that an object's labels may name."""
        return self._charts.get(chart_name(chart_label(labels)), [])

    def carries_chart(self, thing: KubernetesObject, addon: str) -> bool:
        """Whether an object's labels name a chart of `addon`."""
        return any(each.id == addon for each, _ in self._charts_named(thing.labels))

    def charted(self, chart: str) -> tuple[AddOn, ChartInstall] | None:
        """The add-on whose chart this is; None for the generic name of a secondary chart (`base`, `gateway`)."""
        known = self._charts.get(chart, ())
        telling = ((a, c) for a, c in known if c.main or a.id in chart or len(chart) > _GENERIC_CHART)
        return next(telling, None)

    def charted_from(self, chart: str, repository: str) -> tuple[AddOn, ChartInstall] | None:
        """The add-on of a chart with a generic name, where its repository names the add-on too."""
        return next(((addon, known) for addon, known in self._charts.get(chart, ()) if addon.id in repository), None)

    def owners_of(self, thing: KubernetesObject) -> Iterable[str]:
        """The add-ons that have this CRD or webhook configuration."""
        if isinstance(thing, CustomResourceDefinition):
            return self._crd_groups.get(thing.group, ())
        return self._webhooks.get(thing.name, ())


@dataclass(frozen=True, slots=True)
class _Traces:
    """Chart, labels and name together: their weight, and the evidence."""

    weight: int
    chart: str
    named: str
    evidence: tuple[Evidence, ...]


def _seen(kind: str, workload: Workload, detail: str) -> Evidence:
    return Evidence(kind=kind, subject=str(workload.ref), detail=detail, ref=workload.ref)


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(key in labels and value in ("*", labels[key]) for key, value in wanted.items())


def _chart_weight(addon: AddOn, chart: ChartInstall) -> int:
    """A chart named after its add-on is conclusive by itself; `base` or `gateway` only with another trace."""
    names = (addon.id, *addon.aliases)
    return _CHART if any(name in chart.name or chart.name in name for name in names if len(chart.name) > 3) else 1


def chart_label(labels: Mapping[str, str]) -> str:
    """The label that names an object's chart, such as `aws-vpc-cni-1.22.4`; empty if there is none."""
    return labels.get("helm.sh/chart") or labels.get("chart") or ""


def chart_name(label: str) -> str:
    """`aws-vpc-cni` from the label value `aws-vpc-cni-1.22.4`."""
    return _split_chart(label)[0]


def chart_version(label: str) -> str:
    """`1.22.4` from the label value `aws-vpc-cni-1.22.4`; empty if there is none."""
    return _split_chart(label)[1]


def _split_chart(label: str) -> tuple[str, str]:
    parts = label.split("-")
    for number, part in enumerate(parts[1:], start=1):
        if part.lstrip("v")[:1].isdigit():
            return "-".join(parts[:number]), "-".join(parts[number:])
    return label, ""
