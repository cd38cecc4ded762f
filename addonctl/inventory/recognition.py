"""Which add-on a workload is, by the catalogue's fingerprints.

An image that only the add-on runs decides; where images are renamed or pinned by digest, two independent traces
(chart, labels, name) do. A sidecar, an init container or a Job never makes an add-on: they may belong to one.
Called by inventory.py.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from addonctl import images
from addonctl.catalog import AddOn, Catalog, Role
from addonctl.model import Evidence, KubernetesObject, Workload

# How much a trace weighs; at TELLING the add-on is recognised without its image.
_CHART, _LABELS, _NAME = 2, 1, 1
TELLING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A workload recognised. `core`: proves that the add-on is installed; otherwise it may be a part of it.

    `components` are the repository paths of its own images: a second copy of an add-on runs the same ones.
    """

    addon: str
    workload: Workload
    core: bool
    weight: int
    components: frozenset[str]
    evidence: tuple[Evidence, ...]


class Recogniser:
    """The catalogue's fingerprints, indexed for one scan."""

    def __init__(self, catalog: Catalog) -> None:
        self._by_path: dict[str, tuple[tuple[str, Role], ...]] = {}
        self._prints: dict[str, list[tuple[str, str, Role]]] = {}  # last word → (path suffix, add-on, role)
        self._names: dict[tuple[str, str], list[str]] = {}
        self._charts: dict[str, list[tuple[str, int]]] = {}
        self._labels: dict[str, list[tuple[str, Mapping[str, str]]]] = {}
        for addon in catalog.addons.values():
            for image in addon.fingerprints.images:
                self._prints.setdefault(images.last_word(image.path), []).append((image.path, addon.id, image.role))
            for workload in addon.fingerprints.workloads:
                self._names.setdefault((workload.kind, workload.name), []).append(addon.id)
            for chart in addon.install.charts:
                self._charts.setdefault(chart.name, []).append((addon.id, _chart_weight(addon, chart.name)))
            for labels in addon.fingerprints.labels:
                self._labels.setdefault(next(iter(labels)), []).append((addon.id, labels))

    def image_addons(self, reference: str) -> tuple[tuple[str, Role], ...]:
        """The add-ons whose image this may be, with what it says of each."""
        path = images.parse(reference).path
        known = self._by_path.get(path)
        if known is None:
            likely = self._prints.get(images.last_word(path), ())
            known = tuple((addon, role) for suffix, addon, role in likely if images.path_matches(path, suffix))
            self._by_path[path] = known
        return known

    def chart_addons(self, labels: Mapping[str, str]) -> tuple[tuple[str, int, str], ...]:
        """(add-on, weight, label) for the chart that an object's labels name."""
        text = labels.get("helm.sh/chart") or labels.get("chart") or ""
        return tuple((addon, weight, text) for addon, weight in self._charts.get(chart_name(text), ()))

    def match(self, workload: Workload) -> Match | None:
        """The add-on this workload is, the best proven one where several are possible."""
        matches = [self._weigh(addon, workload) for addon in self._candidates(workload)]
        return max(filter(None, matches), key=lambda match: (match.core, match.weight), default=None)

    def _candidates(self, workload: Workload) -> list[str]:
        """Add-ons of which there is any trace, in a stable order."""
        found = [a for container in workload.template.containers for a, _ in self.image_addons(container.image)]
        found += self._names.get((workload.kind, workload.name), [])
        for labels in (workload.labels, workload.template.labels):
            found += [addon for addon, _, _ in self.chart_addons(labels)]
            found += [a for key in labels for a, wanted in self._labels.get(key, ()) if _has(labels, wanted)]
        return list(dict.fromkeys(found))

    def _weigh(self, addon: str, workload: Workload) -> Match | None:
        traces, evidence = self._traces(addon, workload)
        own = [
            (number, container, role)
            for number, container in enumerate(workload.template.containers)
            for candidate, role in self.image_addons(container.image)
            if candidate == addon
        ]
        proven = any(
            role is Role.CORE and not container.init and (number == 0 or traces > 0) for number, container, role in own
        )
        if not own and traces < TELLING:
            return None
        shown = tuple(
            Evidence(kind="image", subject=str(workload.ref), detail=container.image) for _, container, _ in own
        )
        return Match(
            addon=addon, workload=workload, weight=traces + (4 if proven else 0), evidence=(*shown, *evidence),
            core=(proven or (not own and traces >= TELLING)) and workload.kind not in ("Job", "CronJob"),
            components=frozenset(images.parse(container.image).path for _, container, _ in own),
        )  # fmt: skip

    def _traces(self, addon: str, workload: Workload) -> tuple[int, tuple[Evidence, ...]]:
        """Chart, labels and name together: their weight, and what was seen."""
        subject, weight, seen = str(workload.ref), 0, []
        both = {**workload.template.labels, **workload.labels}
        for candidate, chart_weight, text in self.chart_addons(both):
            if candidate == addon:
                weight += chart_weight
                seen.append(Evidence(kind="chart", subject=subject, detail=text))
        wanted = next((w for key in both for a, w in self._labels.get(key, ()) if a == addon and _has(both, w)), None)
        if wanted is not None:
            weight += _LABELS
            detail = ", ".join(f"{key}={both[key]}" for key in wanted)
            seen.append(Evidence(kind="label", subject=subject, detail=detail))
        if addon in self._names.get((workload.kind, workload.name), ()):
            weight += _NAME
            seen.append(Evidence(kind="name", subject=subject, detail=f"{workload.kind} {workload.name}"))
        return weight, tuple(seen)


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(key in labels and value in ("*", labels[key]) for key, value in wanted.items())


def _chart_weight(addon: AddOn, chart: str) -> int:
    """A chart called after its add-on tells by itself; `base` or `gateway` only beside another trace."""
    names = (addon.id, *addon.aliases)
    return _CHART if any(name in chart or chart in name for name in names if len(chart) > 3) else 1


def chart_name(label: str) -> str:
    """`aws-vpc-cni` out of the label value `aws-vpc-cni-1.22.4`."""
    return _split_chart(label)[0]


def chart_version(label: str) -> str:
    """`1.22.4` out of the label value `aws-vpc-cni-1.22.4`; empty where there is none."""
    return _split_chart(label)[1]


def _split_chart(label: str) -> tuple[str, str]:
    parts = label.split("-")
    for number, part in enumerate(parts[1:], start=1):
        if part.lstrip("v")[:1].isdigit():
            return "-".join(parts[:number]), "-".join(parts[number:])
    return label, ""


def carrying_chart(things: Iterable[KubernetesObject], recogniser: Recogniser, addon: str) -> str:
    """The chart label of the first object that names a chart of `addon`; empty where none does."""
    return next((text for t in things for a, _, text in recogniser.chart_addons(t.labels) if a == addon), "")
