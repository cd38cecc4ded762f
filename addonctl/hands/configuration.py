"""Where each owner keeps an add-on's configuration: read from its state, and put into it.

Called by configuring.py, which decides what it is to be, by the hands, which tell it their owner, and by the executor,
which asks whether it is so.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from addonctl.errors import BadInput, Invalid
from addonctl.hands import hand
from addonctl.hands.base import Kept, Ports
from addonctl.hands.gitops import argo_place, argo_sources, flux_applied
from addonctl.model import live
from addonctl.model.checkpoint import Checkpoint
from addonctl.model.plan import Step
from addonctl.values import Values

Parse = Callable[[str], Values]
"""JSON or YAML → values. Raises Invalid where it is no mapping."""


def comparable(step: Step, kept: Kept | Checkpoint) -> object:
    """The configuration in an owner's state, and of a GitOps controller's object all it is made from but the version.

    What EKS has after a reset is `{}`, which is none.
    """
    if kept.eks is not None:
        return kept.eks.configuration.replace("{}", "")
    if kept.helm is not None:
        return kept.helm.values
    if kept.manager is None:
        return None
    if kept.manager.ref.group == live.ARGO:
        place = argo_place(step, kept.manager)
        sources = argo_sources(kept.manager)
        return [*sources[:place], {**sources[place], "targetRevision": ""}, *sources[place + 1 :]]
    return _without_version(flux_applied(kept.manager))


def is_configured(step: Step, ports: Ports, id: str) -> bool:
    """Whether a step's owner has the configuration that was stored under an id. Raises NotFound."""
    assert ports.configurations is not None, "who plans a change of configuration keeps it"
    return comparable(step, hand(step, ports).kept()) == comparable(step, ports.configurations.load(id))


def check_premise(step: Step, ports: Ports) -> None:
    """Raises BadInput where the configuration that a step changes has moved since the plan."""
    if step.configuration and not is_configured(step, ports, step.configuration.was):
        raise BadInput(f"The configuration of {step.installation} is not what the plan was made for", "Plan anew.")


def _without_version(applied: Values) -> Values:
    chart = applied.get("chart") or {}
    return {**applied, "chart": {**chart, "spec": {**(chart.get("spec") or {}), "version": ""}}}


def values_in(step: Step, kept: Kept, parse: Parse) -> Values:
    """The values in an owner's state. Raises Invalid where they are somewhere else."""
    if kept.eks is not None:
        return parse(kept.eks.configuration)
    if kept.helm is not None:
        return kept.helm.values
    assert kept.manager is not None, f"{step.owner} is an owner that keeps values"
    if kept.manager.ref.group == live.ARGO:
        return _of_source(step, argo_sources(kept.manager)[argo_place(step, kept.manager)], parse)
    values: Values = flux_applied(kept.manager).get("values") or {}
    return values


def _of_source(step: Step, source: Values, parse: Parse) -> Values:
    helm = source.get("helm") or {}
    if not source.get("chart") and not helm:
        what = f"{step.owner} takes manifests of {source.get('repoURL', 'a repository')}, and no chart"
        raise Invalid(f"{what}: its configuration is there", "Change it in that repository.")
    return helm.get("valuesObject") or parse(str(helm.get("values") or ""))


def overruled(kept: Kept, step: Step) -> frozenset[str]:
    """Keys of which an Application's parameters say what they are, whatever its values say."""
    if kept.manager is None or kept.manager.ref.group != live.ARGO:
        return frozenset()
    helm = argo_sources(kept.manager)[argo_place(step, kept.manager)].get("helm") or {}
    named = (*(helm.get("parameters") or ()), *(helm.get("fileParameters") or ()))
    return frozenset(str(each.get("name")) for each in named)


def configured(step: Step, kept: Kept, values: Values) -> Kept:
    """An owner's state with a step's version and these values."""
    version = str(step.to_version)
    if kept.eks is not None:
        written = json.dumps(values, separators=(",", ":")) if values else ""
        return Kept(eks=replace(kept.eks, version=version, configuration=written))
    if kept.helm is not None:
        return Kept(helm=replace(kept.helm, chart_version=version, values=values))
    assert kept.manager is not None, f"{step.owner} is an owner that keeps values"
    spec = kept.manager.document["spec"]
    changed = _argo if kept.manager.ref.group == live.ARGO else _flux
    return Kept(manager=live.Object({**kept.manager.document, "spec": changed(step, kept.manager, spec, values)}))


def _argo(step: Step, found: live.Object, spec: Mapping[str, Any], values: Values) -> Values:
    """As values that are an object; those that are a text would not count beside it."""
    sources, place = argo_sources(found), argo_place(step, found)
    helm = {name: held for name, held in (sources[place].get("helm") or {}).items() if name != "values"}
    source = {**sources[place], "targetRevision": str(step.to_version), "helm": {**helm, "valuesObject": values}}
    if not spec.get("sources"):
        return {**spec, "source": source}
    return {**spec, "sources": [*sources[:place], source, *sources[place + 1 :]]}


def _flux(step: Step, _: live.Object, spec: Mapping[str, Any], values: Values) -> Values:
    chart = spec["chart"]
    versioned = {**chart, "spec": {**chart["spec"], "version": str(step.to_version)}}
    return {**spec, "chart": versioned, "values": values}
