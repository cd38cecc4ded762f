"""What can be reached and read, before a report is asked for. Each step is tried by itself: one that fails hides no
other. Called by `addonctl doctor`.

A step is answered yes, no, or skipped with the reason: nothing that was not tried is called good.
"""

import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import addonctl
from addonctl.adapters import api_reader, aws, config_file, eks_table, kubeconfig
from addonctl.adapters.api_connection import Connection
from addonctl.adapters.decoding import Kind
from addonctl.adapters.sources.live import NAME_UNKNOWN, LiveCluster, on_eks
from addonctl.errors import AddonctlError
from addonctl.model import Gap

YES, NO, SKIPPED = "yes", "no", "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One step: `answer` is yes, no or skipped; `fix` what would help where it is no."""

    what: str
    answer: str
    detail: str = ""
    fix: str = ""


def _failed(what: str, error: AddonctlError) -> Check:
    return Check(what=what, answer=NO, detail=error.what, fix=error.fix)


# ── This machine ────────────────────────────────────────────────────────────────────────────────────────────────


def of_machine(cache_dir: Path, today: date) -> Iterator[Check]:
    """The program, what it knows and the settings that it finds."""
    about = f"{addonctl.__version__}, Python {platform.python_version()}"
    yield Check(what="addonctl", answer=YES, detail=about)
    yield _knowledge(cache_dir, today)
    yield _settings()


def _knowledge(cache_dir: Path, today: date) -> Check:
    what, where = "EKS add-on versions", cache_dir / eks_table.FILE_NAME
    try:
        own = eks_table.cached(cache_dir)
    except AddonctlError as error:
        return _failed(what, error)
    table = own or eks_table.packaged()
    origin = str(where) if own else f"packaged; `addonctl catalog refresh` would keep newer ones in {cache_dir}"
    return Check(what=what, answer=YES, detail=f"as of {table.as_of}, {(today - table.as_of).days} days old ({origin})")


def _settings() -> Check:
    path = config_file.default_path()
    try:
        waivers = config_file.load().waivers
    except AddonctlError as error:
        return _failed("settings", error)
    if not path.is_file():
        return Check(what="settings", answer=SKIPPED, detail=f"there is no {path}")
    return Check(what="settings", answer=YES, detail=f"{path}, waivers: {len(waivers)}")


# ── A live cluster ──────────────────────────────────────────────────────────────────────────────────────────────


def of_cluster(live: LiveCluster, kinds: Iterable[Kind]) -> Iterator[Check]:
    """The way to a cluster and to AWS, and the permissions there."""
    connection: Connection | None = None
    try:
        connection = live.connection
    except AddonctlError as error:
        yield _failed("EKS cluster" if live.eks else "kubeconfig", error)
    else:
        yield _way(live, connection)
    version = ""
    if connection is None:
        yield Check(what="Kubernetes API", answer=SKIPPED, detail="it cannot be reached")
    else:
        try:
            version = api_reader.version(connection)
            yield Check(what="Kubernetes API", answer=YES, detail=f"{connection.server}, {version}")
            yield from _lists(connection, kinds)
        except AddonctlError as error:
            yield _failed("Kubernetes API", error)
    yield from _aws(live, connection, version)


def _way(live: LiveCluster, connection: Connection) -> Check:
    if live.eks:
        return Check(what="kubeconfig", answer=SKIPPED, detail="--eks needs none")
    if not connection.context:
        return Check(what="kubeconfig", answer=SKIPPED, detail="there is none: the service account of this pod is used")
    paths = live.kubeconfig or ", ".join(map(str, kubeconfig.files()))
    return Check(what="kubeconfig", answer=YES, detail=f"{paths}, context {connection.context}")


def _lists(connection: Connection, kinds: Iterable[Kind]) -> Iterator[Check]:
    for kind, may in api_reader.may_list(connection, kinds):
        unknown = "" if may else f"without it unknown: {kind.part.replace('_', ' ')}"
        fix = "" if may else "Grant it; `addonctl rbac --cluster-role` prints the role."
        yield Check(what=f"list {kind.of.name}", answer=YES if may else NO, detail=unknown, fix=fix)


# ── AWS ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _aws(live: LiveCluster, connection: Connection | None, version: str) -> Iterator[Check]:
    """Credentials, region and permissions, where there is a cluster on EKS or where it is not known to be elsewhere."""
    region, name = live.region, live.eks
    if connection is not None:
        region, name = live.place(connection.context, connection.name, connection.server)
    if version and not name and not on_eks(version):
        yield Check(what="AWS", answer=SKIPPED, detail="this cluster is not on EKS")
        return
    client, needed = live.aws(region), bool(name) or on_eks(version)
    account = list(_account(client))
    yield from account if needed else map(_skipped_if_no, account)
    if any(check.answer == NO for check in account):
        yield Check(
            what="AWS permissions", answer=SKIPPED, detail="without region and credentials they cannot be tried"
        )
    elif name:
        yield from _permissions(client, name)
    elif needed:
        yield Check(what="EKS cluster", answer=NO, detail=NAME_UNKNOWN)
    else:
        yield Check(what="EKS cluster", answer=SKIPPED, detail="none is named")


def _skipped_if_no(check: Check) -> Check:
    return replace(check, answer=SKIPPED) if check.answer == NO else check


def _account(client: aws.Aws) -> Iterator[Check]:
    for what, ask in (("AWS region", client.region_in_use), ("AWS identity", client.identity)):
        try:
            yield Check(what=what, answer=YES, detail=ask())
        except AddonctlError as error:
            yield _failed(what, error)


def _permissions(client: aws.Aws, cluster: str) -> Iterator[Check]:
    """Each part is read once: AWS has no other way to ask what one may read."""
    eks, gaps = client.read(cluster)
    if eks is None:
        yield Check(what="EKS cluster", answer=NO, detail=gaps[0].detail, fix=_grant(gaps[0].permission))
        return
    yield Check(what="EKS cluster", answer=YES, detail=f"{cluster}, Kubernetes {eks.cluster.version}")
    types = client.try_instance_types()
    missing = {gap.part: gap for gap in (*gaps, *((types,) if types else ()))}
    for part in dict.fromkeys(each.part for each in aws.PERMISSIONS if ":" in each.part):
        yield _part(part, missing.get(part))
    for action, what in aws.OPTIONAL:
        yield Check(what=action, answer=SKIPPED, detail=f"only {what} takes it; not tried")


def _part(part: str, gap: Gap | None) -> Check:
    what = f"read {part}"
    if gap is None:
        return Check(what=what, answer=YES)
    return Check(what=what, answer=NO, detail=gap.detail, fix=_grant(gap.permission))


def _grant(permission: str) -> str:
    return f"Grant {permission}; `addonctl rbac --iam` prints the policy." if permission else ""
