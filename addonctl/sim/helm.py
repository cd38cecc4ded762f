"""The helm program in the world: ports.HelmWriter and ports.HelmReleases, and `install` for building worlds.

Releases are kept as Helm keeps them, in Secrets of the cluster, so what reads them on a cluster reads them here as
well. Objects are applied server-side as manager `helm`, as Helm 4 does it; what
a revision no longer renders is deleted; CRDs of a chart are created by `install` and never touched again; waiting takes
the world's time. `charts` says what a chart renders. Not modelled: hooks, tests, dependencies, `lookup`.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from addonctl.errors import AddonctlError, Conflict, Invalid, NotFound, TimedOut
from addonctl.model import live
from addonctl.sim.documents import Document, copied
from addonctl.sim.kinds import Key
from addonctl.sim.readiness import is_rolled_out, workloads
from addonctl.sim.selectors import parsed
from addonctl.sim.store import Store, Stored
from addonctl.sim.weather import Call, Calm, Weather

Render = Callable[[str, str, Mapping[str, Any]], Iterable[Mapping[str, Any]]]
"""(release, namespace, what the user set) → manifests. Raises Invalid where the chart does not take the values."""

MANAGER = "helm"
_SECRET: Key = ("", "Secret")
_HISTORY_MAX = 10  # --history-max
_KEEP = "helm.sh/resource-policy"
_OWNER = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    name: str
    version: str
    render: Render
    app_version: str = ""
    crds: tuple[Mapping[str, Any], ...] = ()


Charts = Mapping[tuple[str, str], Chart]
"""(reference, version) → chart; the version is what is asked for, empty for the newest."""


class SimHelm:
    """ports.HelmWriter of one client."""

    def __init__(self, store: Store, charts: Charts, weather: Weather | None = None) -> None:
        self._store, self._world, self._charts = store, store.world, charts
        self._weather = weather or Calm()

    # ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def history(self, namespace: str, name: str) -> tuple[live.Release, ...]:
        found = self._read(namespace, name)
        if not found:
            raise NotFound(f"There is no Helm release {namespace}/{name}")
        return tuple(map(_release, found))

    def manifest(self, namespace: str, name: str, revision: int) -> str:
        for record in self._read(namespace, name):
            if record["version"] == revision:
                return str(record["manifest"])
        raise NotFound(f"Helm release {namespace}/{name} has no revision {revision}")

    def objects(self, namespace: str, name: str, revision: int) -> tuple[live.Object, ...]:
        return tuple(map(live.Object, _documents({"manifest": self.manifest(namespace, name, revision)})))

    def _read(self, namespace: str, name: str) -> list[Document]:
        """As a client of the API server reads them."""
        call = Call("objects", "list", "Secret")
        self._weather.before(call)
        found = self._history(namespace, name)
        self._weather.after(call)
        return found

    # ── Writing ────────────────────────────────────────────────────────────────────────────────────────────────

    def upgrade(
        self,
        namespace: str,
        name: str,
        *,
        chart: str,
        version: str,
        values: Mapping[str, Any],
        timeout_s: int,
        repository: str = "",
        wait: bool = True,
        dry_run: bool = False,
    ) -> live.Release:
        self._weather.before(Call("helm", "upgrade", f"{namespace}/{name}", not dry_run))
        newest, current = self._newest(namespace, name), self._current(namespace, name)
        if newest["info"]["status"].startswith("pending-"):
            raise Conflict(f"helm refused to change {namespace}/{name}: another operation is in progress")
        found = self._chart(f"{repository}/{chart}" if repository else chart, version)
        record = self._record(namespace, name, newest["version"] + 1, found, values)
        if dry_run:
            self._rehearse(record)
            return _release(record)
        done = self._deploy(record, "pending-upgrade", current, timeout_s if wait else None)
        self._weather.after(Call("helm", "upgrade", f"{namespace}/{name}", True))
        return done

    def rollback(
        self, namespace: str, name: str, *, revision: int, timeout_s: int, wait: bool = True, dry_run: bool = False
    ) -> None:
        self._weather.before(Call("helm", "rollback", f"{namespace}/{name}", not dry_run))
        newest = self._newest(namespace, name)
        kept = next((one for one in self._history(namespace, name) if one["version"] == revision), None)
        if kept is None:
            raise NotFound(f"Helm release {namespace}/{name} has no revision {revision}")
        record = {**kept, "version": newest["version"] + 1, "info": self._info(f"Rollback to {revision}")}
        if dry_run:
            return
        self._deploy(record, "pending-rollback", newest, timeout_s if wait else None)
        self._weather.after(Call("helm", "rollback", f"{namespace}/{name}", True))

    def uninstall(self, namespace: str, name: str, *, timeout_s: int, dry_run: bool = False) -> None:
        self._weather.before(Call("helm", "uninstall", f"{namespace}/{name}", not dry_run))
        history = self._history(namespace, name)
        if not history or dry_run:
            return
        ended = [self._end(place) for place in reversed(list(self._places(history[-1])))]
        for secret in self._secrets(namespace, name):
            self._store.end(secret)
        gone = self._world.until(lambda: not any(self._store.get(*place) for place in ended if place), timeout_s)
        self._weather.after(Call("helm", "uninstall", f"{namespace}/{name}", True))
        if not gone:
            raise TimedOut(f"Objects of {namespace}/{name} are still there after {timeout_s} s")

    def install(
        self, namespace: str, name: str, *, chart: str, version: str, values: Mapping[str, Any], timeout_s: int = 300
    ) -> live.Release:
        """The first revision, with the chart's CRDs."""
        if self._history(namespace, name):
            raise Conflict(f"cannot re-use a name that is still in use: {namespace}/{name}")
        found = self._chart(chart, version)
        for crd in found.crds:
            self._store.apply(crd, MANAGER, force=True)
        return self._deploy(self._record(namespace, name, 1, found, values), "pending-install", None, timeout_s)

    def deploy_in_background(
        self,
        namespace: str,
        name: str,
        *,
        chart: str,
        version: str,
        values: Mapping[str, Any],
        timeout_s: int,
        then: Callable[[AddonctlError | None], object],
        wait: bool = True,
        post_render: Callable[[Document], Document] = lambda document: document,
    ) -> None:
        """Installs or upgrades as a controller does, which blocks nobody; `then` is told how it ended."""
        history = self._history(namespace, name)
        number, before = (history[-1]["version"] + 1, self._current(namespace, name)) if history else (1, None)
        try:
            record = self._record(namespace, name, number, self._chart(chart, version), values, post_render)
            self._keep(record, "pending-upgrade" if history else "pending-install")
        except AddonctlError as error:
            then(error)
            return
        try:
            self._apply(record, before)
        except AddonctlError as error:
            self._keep(record, "failed")
            then(error)
            return
        if not wait:
            self._deployed(record)
            then(None)
            return
        self._follow(record, self._world.micros + timeout_s * 1_000_000, then)

    def correct(self, namespace: str, name: str) -> bool:
        """Applies the newest revision again where what it sets stands otherwise; whether it did."""
        newest = self._newest(namespace, name)
        pairs = list(zip(_documents(newest), self._places(newest), strict=True))
        drifted = [document for document, place in pairs if self._store.differs(document, place)]
        for document in drifted:
            self._store.apply(document, MANAGER, force=True)
        return bool(drifted)

    def revision(self, namespace: str, name: str) -> int:
        """The newest; 0 where there is none."""
        history = self._history(namespace, name)
        return int(history[-1]["version"]) if history else 0

    def put_back(self, namespace: str, name: str) -> None:
        """Applies the newest revision that was deployed as a new one, without waiting. Raises NotFound."""
        history = self._history(namespace, name)
        good = [one for one in history if one["info"]["status"] in ("deployed", "superseded")]
        if not good:
            raise NotFound(f"Helm release {namespace}/{name} has no revision that was deployed")
        newest = history[-1]
        text = f"Rollback to {good[-1]['version']}"
        record = {**good[-1], "version": newest["version"] + 1, "info": self._info(text)}
        self._apply(record, newest)
        self._deployed(record)

    def _follow(self, record: Document, until: int, then: Callable[[AddonctlError | None], object]) -> None:
        if self._is_ready(record):
            self._deployed(record)
            then(None)
        elif self._world.micros >= until:
            self._keep(record, "failed")
            then(TimedOut(f"{record['namespace']}/{record['name']} is not ready"))
        else:
            self._world.after(1.0, lambda: self._follow(record, until, then))

    # ── Records ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _chart(self, chart: str, version: str) -> Chart:
        found = self._charts.get((chart, version))
        if found is None:
            raise Invalid(f"helm refused: chart {chart} has no version {version or '(any)'}")
        return found

    def _record(
        self,
        namespace: str,
        name: str,
        number: int,
        chart: Chart,
        values: Mapping[str, Any],
        post_render: Callable[[Document], Document] = lambda document: document,
    ) -> Document:
        try:
            rendered = (post_render(copied(document)) for document in chart.render(name, namespace, values))
            documents = [self._owned(document, namespace, name) for document in rendered]
        except Invalid as error:
            said = _without_values(error.what, values)
            raise Invalid(f"helm refused to change {namespace}/{name}: {said}") from None
        metadata = {"name": chart.name, "version": chart.version, "appVersion": chart.app_version}
        return {
            "name": name,
            "namespace": namespace,
            "version": number,
            "info": self._info("Upgrade complete"),
            "chart": {"metadata": metadata},
            "config": copied(values),
            "manifest": "".join(f"---\n{json.dumps(document)}\n" for document in documents),
        }

    def _info(self, description: str) -> Document:
        stamp = self._world.stamp
        return {"first_deployed": stamp, "last_deployed": stamp, "status": "deployed", "description": description}

    def _owned(self, given: Mapping[str, Any], namespace: str, name: str) -> Document:
        """A rendered object with what Helm adds: its namespace, and whose it is."""
        document: Document = copied(given)
        metadata = document["metadata"]
        if self._store.kinds.of(document).namespaced:
            metadata.setdefault("namespace", namespace)
        owner = dict(zip(_OWNER, (name, namespace), strict=True))
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **owner}
        metadata["labels"] = {**(metadata.get("labels") or {}), "app.kubernetes.io/managed-by": "Helm"}
        return document

    def _secrets(self, namespace: str, name: str) -> list[Stored]:
        matches = parsed(f"owner=helm,name={name}")
        return [one for one in self._store.rows(_SECRET, namespace) if matches(one.labels)]

    def _history(self, namespace: str, name: str) -> list[Document]:
        records = [_unpacked(secret) for secret in self._secrets(namespace, name)]
        return sorted(records, key=lambda record: int(record["version"]))

    def _newest(self, namespace: str, name: str) -> Document:
        history = self._history(namespace, name)
        if not history:
            raise NotFound(f"helm refused to change {namespace}/{name}: release: not found")
        return history[-1]

    def _current(self, namespace: str, name: str) -> Document:
        """What an upgrade starts from: what the newest revision that was deployed rendered."""
        deployed = (one for one in reversed(self._history(namespace, name)) if one["info"]["status"] == "deployed")
        return next(deployed, None) or self._newest(namespace, name)

    def _keep(self, record: Document, status: str) -> None:
        record["info"] = {**record["info"], "status": status}
        number = str(record["version"])
        metadata = {
            "name": f"sh.helm.release.v1.{record['name']}.v{number}",
            "namespace": record["namespace"],
            "labels": {"owner": "helm", "name": record["name"], "version": number, "status": status},
        }
        packed = base64.b64encode(base64.b64encode(json.dumps(record).encode())).decode()
        secret = {"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": metadata}
        self._store.apply({**secret, "data": {"release": packed}}, MANAGER, force=True)

    # ── Deploying ───────────────────────────────────────────────────────────────────────────────────────────────

    def _deploy(self, record: Document, pending: str, before: Document | None, timeout_s: int | None) -> live.Release:
        """Waits for what is applied, unless `timeout_s` is None. A helm that is killed leaves its revision pending."""
        self._keep(record, pending)
        self._may_be_killed(record, "apply")
        try:
            self._apply(record, before)
            if timeout_s is not None:
                self._wait(record, timeout_s)
        except AddonctlError as error:
            said = f'"{record["name"]}" failed: {_without_values(error.what, record["config"])}'
            record["info"] = {**record["info"], "description": said}
            self._keep(record, "failed")
            raise
        self._may_be_killed(record, "record")
        return self._deployed(record)

    def _may_be_killed(self, record: Document, before: str) -> None:
        self._weather.before(Call("helm", before, f"{record['namespace']}/{record['name']}", True))

    def _deployed(self, record: Document) -> live.Release:
        for older in self._history(record["namespace"], record["name"]):
            if older["info"]["status"] == "deployed":
                self._keep(older, "superseded")
        self._keep(record, "deployed")
        self._forget_oldest(record)
        return _release(record)

    def _forget_oldest(self, record: Document) -> None:
        secrets = self._secrets(record["namespace"], record["name"])
        for secret in sorted(secrets, key=lambda one: int(one.labels["version"]))[:-_HISTORY_MAX]:
            self._store.end(secret)

    def _rehearse(self, record: Document) -> None:
        for document in _documents(record):
            self._store.apply(document, MANAGER, dry_run=True)

    def _apply(self, record: Document, before: Document | None) -> None:
        """What is new or changed, then the end of what is no longer rendered."""
        had = dict.fromkeys(self._places(before)) if before is not None else {}
        for document, place in zip(_documents(record), self._places(record), strict=True):
            self._refuse_strangers(record, place, place in had)
            self._store.apply(document, MANAGER)
            had.pop(place, None)
        for place in reversed(had):
            self._end(place)

    def _refuse_strangers(self, record: Document, place: tuple[Key, str, str], had: bool) -> None:
        there = self._store.get(*place)
        if there is None or had:
            return
        annotations = there.metadata.get("annotations") or {}
        if [annotations.get(key) for key in _OWNER] != [record["name"], record["namespace"]]:
            raise Conflict(f"{there.ref} exists and cannot be imported into the release {record['name']}")

    def _wait(self, record: Document, timeout_s: int) -> None:
        if not self._world.until(lambda: self._is_ready(record), timeout_s):
            text = f"{record['namespace']}/{record['name']} is not ready after {timeout_s} s"
            raise TimedOut(f"helm refused to change it: {text}", "Read its history first.")

    def _is_ready(self, record: Document) -> bool:
        return all(map(is_rolled_out, workloads(self._store, self._places(record))))

    def _places(self, record: Document) -> Iterator[tuple[Key, str, str]]:
        for document in _documents(record):
            served = self._store.kinds.of(document)
            metadata = document["metadata"]
            yield served.key, metadata.get("namespace", "") if served.namespaced else "", metadata["name"]

    def _end(self, place: tuple[Key, str, str]) -> tuple[Key, str, str] | None:
        """Asks for an object's end, unless it is to be kept."""
        found = self._store.get(*place)
        if found is None or (found.metadata.get("annotations") or {}).get(_KEEP) == "keep":
            return None
        self._store.end(found)
        return place


def _documents(record: Document) -> list[Document]:
    return [json.loads(part) for part in record["manifest"].split("---\n") if part.strip()]


def _unpacked(secret: Stored) -> Document:
    """A record of one's own: another status may be set on it, nothing within it is changed."""
    return dict(_decoded(secret.document["data"]["release"]))


@lru_cache(maxsize=32)
def _decoded(text: str) -> Document:
    """Each revision is read again and again."""
    found: Document = json.loads(base64.b64decode(base64.b64decode(text)))
    return found


def _release(record: Document) -> live.Release:
    chart = record["chart"]["metadata"]
    return live.Release(
        namespace=record["namespace"],
        name=record["name"],
        revision=record["version"],
        status=record["info"]["status"],
        chart=chart["name"],
        chart_version=chart["version"],
        app_version=chart["appVersion"],
        updated=datetime.fromisoformat(record["info"]["last_deployed"]),
        description=record["info"]["description"],
        values=record["config"],
    )


def _without_values(text: str, value: object) -> str:
    """An error does not quote what the user set."""
    if isinstance(value, Mapping):
        for held in value.values():
            text = _without_values(text, held)
    elif isinstance(value, list):
        for held in value:
            text = _without_values(text, held)
    elif isinstance(value, str) and len(value) > 3:
        text = text.replace(value, "…")
    return text
