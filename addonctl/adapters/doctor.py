"""What can be reached and read, before a report is asked for. Each step is tried by itself: one that fails hides no
other. Called by `addonctl doctor`.

A step is answered yes, no, or skipped with the reason: nothing that was not tried is called good.
"""

import os
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path

import addonctl
from addonctl.adapters import api_reader, aws, config_file, eks_table, kubeconfig, price_table
from addonctl.adapters.api_connection import Connection
from addonctl.adapters.decoding import Kind
from addonctl.adapters.sources.live import NAME_UNKNOWN, LiveCluster, on_eks
from addonctl.errors import AddonctlError, NotServed
from addonctl.model import Gap, Snapshot

YES, NO, SKIPPED = "yes", "no", "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One step: `answer` is yes, no or skipped; `fix` what would help where it is no.

    Of the many of one `group` those that need no attention are told in one line.
    """

    what: str
    answer: str
    detail: str = ""
    fix: str = ""
    group: str = ""


def _failed(what: str, error: AddonctlError) -> Check:
    return Check(what=what, answer=NO, detail=error.what, fix=error.fix)


# ── This machine ────────────────────────────────────────────────────────────────────────────────────────────────


def of_machine(cache_dir: Path, today: date) -> Iterator[Check]:
    """The program, what it knows and the settings that it finds."""
    libraries = ", ".join(f"{name} {version}" for name, version in client_libraries().items())
    about = f"{addonctl.__version__}, Python {platform.python_version()}, {libraries}"
    yield Check(what="addonctl", answer=YES, detail=about)
    yield _helm()
    yield _knowledge(cache_dir, today)
    yield _prices(cache_dir, today)
    yield _settings()
    named = sorted(name for name in os.environ if name.startswith("ADDONCTL_"))
    yield Check(what="environment", answer=YES if named else SKIPPED, detail=", ".join(named) or "no ADDONCTL_* is set")


def client_libraries() -> dict[str, str]:
    """The versions of what servers are asked with."""
    return {name: version(name) for name in ("boto3", "urllib3", "msgspec")}


def _helm() -> Check:
    path = shutil.which("helm")
    if path is None:
        return Check(what="helm", answer=SKIPPED, detail="it is not on PATH; only changes of Helm releases take it")
    return Check(what="helm", answer=YES, detail=path)


def _prices(cache_dir: Path, today: date) -> Check:
    packaged = price_table.load("").ec2.as_of
    told = [f"packaged ones as of {packaged}, {_age(packaged, today)}"]
    try:
        for own in filter(None, (price_table.own_prices(region, cache_dir) for region in _own_regions(cache_dir))):
            told.append(f"{own.region} as of {own.as_of}, {_age(own.as_of, today)} (in {cache_dir})")
    except AddonctlError as error:
        return _failed("prices", error)
    return Check(what="prices", answer=YES, detail="; ".join(told))


def _own_regions(cache_dir: Path) -> list[str]:
    any_region = price_table.own_path("*", cache_dir)
    before, _, after = any_region.name.partition("*")
    found = any_region.parent.glob(any_region.name)
    return sorted(path.name.removeprefix(before).removesuffix(after) for path in found)


def _age(day: date, today: date) -> str:
    days = max((today - day).days, 0)
    return f"{days} day{'' if days == 1 else 's'} old"


def _knowledge(cache_dir: Path, today: date) -> Check:
    what, where = "EKS add-on versions", cache_dir / eks_table.FILE_NAME
    try:
        own = eks_table.cached(cache_dir)
    except AddonctlError as error:
        return _failed(what, error)
    table = own or eks_table.packaged()
    origin = str(where) if own else f"packaged; `addonctl catalog refresh` would keep newer ones in {cache_dir}"
    return Check(what=what, answer=YES, detail=f"as of {table.as_of}, {_age(table.as_of, today)} ({origin})")


def _settings() -> Check:
    path = config_file.default_path()
    try:
        settings = config_file.load()
    except AddonctlError as error:
        return _failed("settings", error)
    if not path.is_file():
        return Check(what="settings", answer=SKIPPED, detail=f"there is no {path}")
    defaults = f", defaults of {', '.join(settings.defaults)}" if settings.defaults else ""
    return Check(what="settings", answer=YES, detail=f"{path}, waivers: {len(settings.waivers)}{defaults}")


# ── A saved cluster ─────────────────────────────────────────────────────────────────────────────────────────────


def of_saved(what: str, read: Callable[[], Snapshot], now: datetime) -> Iterator[Check]:
    """A snapshot or files: whether they can be read, how old they are, and what is not in them."""
    try:
        snapshot = read()
    except AddonctlError as error:
        yield _failed(what, error)
        return
    parts = (getattr(snapshot, each.name) for each in fields(snapshot) if each.name != "gaps")
    objects = sum(len(part) for part in parts if isinstance(part, tuple))
    age = _age(snapshot.taken.date(), now.date())
    about = f"{snapshot.cluster.name}, {objects} objects, of {snapshot.taken:%Y-%m-%d %H:%M} UTC, {age}"
    yield Check(what=what, answer=YES, detail=about)
    kubernetes = snapshot.cluster.kubernetes
    if kubernetes:
        yield Check(what="Kubernetes version", answer=YES, detail=kubernetes)
    else:
        yield Check(what="Kubernetes version", answer=NO, detail="the input does not say", fix="Give --kubernetes.")
    yield from map(_lost, snapshot.gaps)


def _lost(gap: Gap) -> Check:
    """What a file does not hold was not to be read from it; what could not be read of it is lost."""
    what = f"read {gap.part.replace('_', ' ')}"
    if gap.absent:
        return Check(what=what, answer=SKIPPED, detail=gap.detail, group=_READ)
    where = f"{gap.place}: " if gap.place else ""
    fix = f"Grant {gap.permission} and read it again; `addonctl rbac` prints the least role." if gap.permission else ""
    return Check(what=what, answer=NO, detail=f"{where}{gap.detail}", fix=fix, group=_READ)


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
    kubernetes = ""
    if connection is None:
        yield Check(what="Kubernetes API", answer=SKIPPED, detail="it cannot be reached")
    else:
        try:
            kubernetes = api_reader.version(connection)
            yield Check(what="Kubernetes API", answer=YES, detail=f"{connection.server}, {kubernetes}")
            yield _user(connection)
            yield from _lists(connection, kinds, live.namespace)
        except AddonctlError as error:
            yield _failed("Kubernetes API", error)
    yield from _aws(live, connection, kubernetes)


def _way(live: LiveCluster, connection: Connection) -> Check:
    if live.eks:
        return Check(what="kubeconfig", answer=SKIPPED, detail="--eks needs none")
    if not connection.context:
        return Check(what="kubeconfig", answer=SKIPPED, detail="there is none: the service account of this pod is used")
    paths = live.kubeconfig or ", ".join(map(str, kubeconfig.files()))
    return Check(what="kubeconfig", answer=YES, detail=f"{paths}, context {connection.context}")


def _user(connection: Connection) -> Check:
    what = "Kubernetes user"
    try:
        name, groups = api_reader.identity(connection)
    except NotServed:
        return Check(what=what, answer=SKIPPED, detail="this API server does not say; Kubernetes does since 1.28")
    except AddonctlError as error:
        return _failed(what, error)
    of_groups = f", in {', '.join(groups)}" if groups else ""
    return Check(what=what, answer=YES, detail=f"{name}{of_groups}")


def _lists(connection: Connection, kinds: Iterable[Kind], namespace: str) -> Iterator[Check]:
    for kind, may in api_reader.may_list(connection, kinds, namespace):
        unknown = "" if may else f"without it unknown: {kind.part.replace('_', ' ')}"
        fix = "" if may else "Grant it; `addonctl rbac --cluster-role` prints the role."
        yield Check(what=f"list {kind.of.name}", answer=YES if may else NO, detail=unknown, fix=fix, group="RBAC")


# ── AWS ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _aws(live: LiveCluster, connection: Connection | None, kubernetes: str) -> Iterator[Check]:
    """Credentials, region and permissions, where there is a cluster on EKS or where it is not known to be elsewhere."""
    region, name = live.region, live.eks
    if connection is not None:
        region, name = live.place(connection.context, connection.name, connection.server)
    if kubernetes and not name and not on_eks(kubernetes):
        yield Check(what="AWS", answer=SKIPPED, detail="this cluster is not on EKS")
        return
    client, needed = live.aws(region), bool(name) or on_eks(kubernetes)
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
    yield from _optional(client)


def _optional(client: aws.Aws) -> Iterator[Check]:
    """What only some commands take, and cost money to try: as IAM simulates it, where one may ask."""
    try:
        may = client.simulated(client.identity(), [action for action, _ in aws.OPTIONAL])
        why = "IAM does not say"
    except AddonctlError as error:
        may, why = {}, f"not tried, and IAM cannot be asked: {error.what}"
    for action, what in aws.OPTIONAL:
        if action not in may:
            yield Check(what=action, answer=SKIPPED, detail=f"only {what} takes it; {why}", group=_IAM)
        elif may[action]:
            yield Check(what=action, answer=YES, detail=f"by simulation; only {what} takes it", group=_IAM)
        else:
            detail = f"not allowed, by simulation; only {what} takes it"
            yield Check(what=action, answer=SKIPPED, detail=detail, group=_IAM)


_READ, _IAM = "input", "IAM"


def _part(part: str, gap: Gap | None) -> Check:
    what = f"read {part}"
    if gap is None:
        return Check(what=what, answer=YES, group=_IAM)
    return Check(what=what, answer=NO, detail=gap.detail, fix=_grant(gap.permission), group=_IAM)


def _grant(permission: str) -> str:
    return f"Grant {permission}; `addonctl rbac --iam` prints the policy." if permission else ""
