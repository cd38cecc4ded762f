"""Helm releases of one cluster, losslessly: read from Helm's Secrets, changed with the `helm` program.

ports.HelmReleases needs no program; ports.HelmWriter runs `helm` 3 or 4, so that hooks, CRDs and waiting are Helm's
own. Values are passed in a file that only we can read and that is deleted afterwards, never on the command line.
"""

import binascii
import os
import re
import subprocess
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from addonctl import ports
from addonctl.adapters import helm, redact, shapes
from addonctl.adapters.manifest_files import objects_in
from addonctl.errors import (
    AddonctlError,
    BadInput,
    Broken,
    Conflict,
    Forbidden,
    Invalid,
    NotAllowed,
    NotFound,
    NotReachable,
    TimedOut,
)
from addonctl.model import live

_SECRETS = live.Kind("", "Secret", "v1")
_MAJORS = (3, 4)
_VERSION_TIMEOUT_S = 30
# Helm has its own --timeout, which applies to each step: hooks before and after, and the wait.
_OPERATIONS = 3
# As much of what Helm says as a person reads.
_SAID_MAX = 300


class _Metadata(msgspec.Struct, rename="camel"):
    name: str = ""
    version: str = ""
    app_version: str = ""


class _Chart(msgspec.Struct):
    metadata: _Metadata | None = None


class _Info(msgspec.Struct):
    status: str = ""
    last_deployed: str | None = None
    description: str = ""


class _Record(msgspec.Struct):
    """A release as Helm writes it, in its Secrets and with `-o json`."""

    name: str
    namespace: str
    version: int
    info: _Info | None = None
    chart: _Chart | None = None
    config: dict[str, Any] | None = None
    manifest: str = ""


class HelmSecrets:
    """ports.HelmReleases, from Helm's Secrets; other storage drivers are not read."""

    def __init__(self, objects: ports.ObjectReader) -> None:
        self._objects = objects

    def history(self, namespace: str, name: str) -> tuple[live.Release, ...]:
        found = sorted((_release(record) for record in self._records(namespace, name)), key=lambda one: one.revision)
        if not found:
            raise NotFound(f"There is no Helm release {namespace}/{name}")
        return tuple(found)

    def manifest(self, namespace: str, name: str, revision: int) -> str:
        for record in self._records(namespace, name, f",version={revision}"):
            return record.manifest
        raise NotFound(f"Helm release {namespace}/{name} has no revision {revision}")

    def objects(self, namespace: str, name: str, revision: int) -> tuple[live.Object, ...]:
        where = f"Revision {revision} of Helm release {namespace}/{name}"
        try:
            return tuple(objects_in(self.manifest(namespace, name, revision).encode(), where))
        except BadInput as error:
            raise Broken(error.what, "See `helm get manifest`.") from error

    def _records(self, namespace: str, name: str, labels: str = "") -> Iterator[_Record]:
        for secret in self._objects.list(_SECRETS, namespace, f"owner=helm,name={name}{labels}"):
            try:
                stored = helm.unpacked((secret.document.get("data") or {}).get("release", ""))
                yield shapes.decode(stored, _Record)
            except (msgspec.MsgspecError, binascii.Error, zlib.error, ValueError):
                # Not `from` the error: its message may quote secret contents.
                raise Broken(f"{secret} is not a Helm release record", "See `helm history`.") from None


def _release(record: _Record) -> live.Release:
    info = record.info or _Info()
    chart = (record.chart.metadata if record.chart else None) or _Metadata()
    return live.Release(
        namespace=record.namespace,
        name=record.name,
        revision=record.version,
        status=info.status,
        chart=chart.name,
        chart_version=chart.version,
        app_version=chart.app_version,
        updated=helm.when(info.last_deployed),
        description=redact.text(redact.without(info.description, record.config or {}))[:_SAID_MAX],
        values=record.config or {},
    )


class HelmBinary:
    """ports.HelmWriter. `program` is a path or a name on PATH.

    `kubeconfig` and `context` name the cluster; without them it is the one that helm itself would choose. `acting_as`
    is a user to impersonate, and the groups.
    """

    def __init__(
        self,
        releases: ports.HelmReleases,
        kubeconfig: Path | None = None,
        context: str = "",
        program: str = "helm",
        acting_as: tuple[str, tuple[str, ...]] = ("", ()),
    ) -> None:
        self._releases, self._program = releases, program
        user, groups = acting_as
        self._cluster = [f"--kubeconfig={kubeconfig}"] if kubeconfig else []
        self._cluster += [f"--kube-context={context}"] if context else []
        self._cluster += [f"--kube-as-user={user}", *(f"--kube-as-group={group}" for group in groups)] if user else []

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
        if any(re.search(r"^-|://[^/]*@", each) for each in (chart, repository)):
            raise BadInput("A chart is a path or an address without credentials", "Use `helm registry login`.")
        which = [f"--version={version}"] if version else []
        which += [f"--repo={repository}"] if repository else []
        with _in_a_file(values) as file:
            arguments = ["upgrade", name, chart, *which, "--reset-values", f"--values={file}", "--output=json"]
            arguments += ["--dry-run=server"] if dry_run else []
            said = self._run(namespace, arguments, timeout_s, values, wait=wait)
        try:
            return _release(shapes.decode(said, _Record))
        except msgspec.MsgspecError:
            raise Broken("The output of helm is not a release", f"See `helm history -n {namespace} {name}`.") from None

    def rollback(
        self, namespace: str, name: str, *, revision: int, timeout_s: int, wait: bool = True, dry_run: bool = False
    ) -> None:
        kept = next((one for one in self._releases.history(namespace, name) if one.revision == revision), None)
        if kept is None:
            raise NotFound(f"Helm release {namespace}/{name} has no revision {revision}")
        dry = ["--dry-run=server" if self._major >= 4 else "--dry-run"] if dry_run else []
        self._run(namespace, ["rollback", name, str(revision), *dry], timeout_s, kept.values, wait=wait)

    def uninstall(self, namespace: str, name: str, *, timeout_s: int, dry_run: bool = False) -> None:
        dry = ["--dry-run"] if dry_run else []
        try:
            self._run(namespace, ["uninstall", name, *dry], timeout_s, {})
        except NotFound:
            return

    @cached_property
    def _major(self) -> int:
        """Raises BadInput when helm is not installed, or is an unsupported version."""
        said = self._called(["version", "--template={{.Version}}"], _VERSION_TIMEOUT_S).stdout.strip()
        found = re.match(r"v?(\d+)\.", said)
        if found is None or int(found[1]) not in _MAJORS:
            raise BadInput(f"{self._program} is helm {said[:40] or '(no version)'}", "Install helm 3 or 4.")
        return int(found[1])

    def _run(
        self, namespace: str, arguments: list[str], timeout_s: int, secret: Mapping[str, Any], *, wait: bool = True
    ) -> str:
        """The output of helm. An error never contains `secret`."""
        assert self._major in _MAJORS
        limits = [f"--namespace={namespace}", f"--timeout={timeout_s}s", *(["--wait"] if wait else [])]
        done = self._called([*arguments, *limits, *self._cluster], timeout_s * _OPERATIONS + _VERSION_TIMEOUT_S)
        if done.returncode:
            raise _refusal(f"{namespace}/{arguments[1]}", redact.without(done.stderr, secret))
        return done.stdout

    def _called(self, arguments: list[str], timeout_s: float) -> "subprocess.CompletedProcess[str]":
        command = [self._program, *arguments]
        try:
            return subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                errors="replace",
            )
        except OSError as error:
            raise BadInput(f"{self._program} cannot be run: {error.strerror}", "Install helm 3 or 4.") from error
        except subprocess.TimeoutExpired:
            raise TimedOut(f"helm {arguments[0]} did not end in {timeout_s:.0f} s", "Read its history first.") from None


def _environment() -> dict[str, str]:
    """Our environment, without variables that would point helm to another cluster or make it print more."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("HELM_KUBE")}
    return {**ours, "HELM_DRIVER": "secret", "HELM_DEBUG": "false"}


@contextmanager
def _in_a_file(values: Mapping[str, Any]) -> Iterator[Path]:
    """The values as JSON, which is YAML, in a temporary folder; both are deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="addonctl-") as folder:  # mode 0700
        path = Path(folder) / "values.json"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(msgspec.json.encode(values))
        yield path


# Helm's messages by their meaning; the first match counts.
_REFUSALS: tuple[tuple[str, type[AddonctlError]], ...] = (
    (r"release: not found|release not loaded|has no deployed releases|has no .* version", NotFound),
    (r"another operation .* is in progress", Conflict),
    (r"conflict occurred|Apply failed with \d+ conflict|cannot be imported", Conflict),
    (r"timed out|deadline exceeded|not ready", TimedOut),
    (r"cluster unreachable|connection refused|no such host|i/o timeout|dial tcp", NotReachable),
    (r"is forbidden|cannot .* resource", Forbidden),
    (r"Unauthorized|must be logged in", NotAllowed),
)


def _refusal(release: str, said: str) -> AddonctlError:
    line = redact.text(" ".join(said.split()).removeprefix("Error: "))[:_SAID_MAX]
    kind = next((kind for words, kind in _REFUSALS if re.search(words, said, re.IGNORECASE)), Invalid)
    return kind(f"helm refused to change {release}: {line}")
