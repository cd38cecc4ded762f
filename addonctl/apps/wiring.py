"""The composition root: connects adapters to the faces. Nothing here decides anything about clusters."""

import os
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from addonctl import ports
from addonctl.adapters.clock import SystemClock
from addonctl.errors import AddonctlError, BadInput
from addonctl.manager import Manager
from addonctl.versions import Minor
from addonctl.waivers import Waiver
from addonctl.windows import Freeze, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from addonctl.adapters.checkpoints import CheckpointFolder
    from addonctl.adapters.notices import Notices
    from addonctl.adapters.prometheus import Prometheus
    from addonctl.adapters.sources.live import LiveCluster
    from addonctl.catalog import Catalog, CountedSli
    from addonctl.catalog.prices import PriceTable
    from addonctl.configuring import Configuring
    from addonctl.cost.bill import ClusterNames
    from addonctl.executor import Executor
    from addonctl.model import Snapshot, live
    from addonctl.model.plan import Plan
    from addonctl.model.spending import CostDay
    from addonctl.values import Values
    from addonctl.worker import Told, Worker

CLOCK = SystemClock()


def cache_dir() -> Path:
    """Where `catalog refresh` and `prices refresh` store the user's own tables."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("ADDONCTL_CACHE_DIR") or Path(base) / "addonctl")


def state_dir() -> Path:
    """Where runs and checkpoints are kept."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(os.environ.get("ADDONCTL_STATE_DIR") or Path(base) / "addonctl")


def journal(worker: str = "") -> ports.Journal:
    """The journal of runs, for a worker of that name: the database that $ADDONCTL_DATABASE names, else a file."""
    from addonctl.adapters.journal import SqlJournal

    return SqlJournal(os.environ.get("ADDONCTL_DATABASE") or state_dir() / "runs.db", worker, CLOCK)


def cost_history() -> ports.CostHistory:
    """What clusters cost on days that were recorded: beside the runs."""
    from addonctl.adapters.cost_history import SqlCostHistory

    return SqlCostHistory(os.environ.get("ADDONCTL_DATABASE") or _costs())


def recorded(cluster: str, since: "date") -> "tuple[CostDay, ...]":
    """The days of a cluster that were recorded; none where nobody ever recorded one, and nothing is made for them."""
    if not os.environ.get("ADDONCTL_DATABASE") and not _costs().exists():
        return ()
    return cost_history().days(cluster, since)


def _costs() -> Path:
    return state_dir() / "costs.db"


@cache
def catalog() -> "Catalog":
    """The packaged catalog, with the user's own table of EKS versions if there is one that can be read."""
    from addonctl.adapters import knowledge
    from addonctl.render import screen

    try:
        return knowledge.load(cache_dir())
    except BadInput as error:
        packaged = knowledge.load()  # raises again if the packaged facts are damaged
        screen.note(f"Note: {error.what}; using the packaged table. {error.fix}")
        return packaged


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Where to read from, as the user chose; the same options on every face."""

    context: str = ""
    kubeconfig: str = ""
    namespace: str = ""
    eks: str = ""
    region: str = ""
    profile: str = ""
    snapshot: str = ""
    files: tuple[str, ...] = ()
    demo: bool = False
    kubernetes: str = ""
    as_of: datetime | None = None
    timeout_s: float | None = None
    prometheus: str = ""
    cloudwatch: bool = False
    act_as: str = ""
    act_as_groups: tuple[str, ...] = ()
    progress: ports.Progress = field(default=ports.silent)

    def source(self, known: "Catalog") -> ports.Source:
        """The chosen source. Raises BadInput when there are two, or for options that do not apply to it."""
        from addonctl.adapters.sources import saved

        self._check()
        if self.snapshot:
            return saved.SnapshotFile(Path(self.snapshot))
        if self.files:
            return saved.Manifests(self.files, known, CLOCK, self.kubernetes, as_of=self.as_of, progress=self.progress)
        return saved.Demo() if self.demo else self.live(known)

    @property
    def is_saved(self) -> bool:
        """Whether it is no live cluster."""
        return bool(self.snapshot or self.files or self.demo)

    def live(self, known: "Catalog") -> "LiveCluster":
        """The chosen live cluster."""
        from addonctl.adapters.sources.live import LiveCluster

        return LiveCluster(
            known,
            CLOCK,
            self.context,
            self.kubeconfig,
            self.eks,
            self.region,
            self.profile,
            self.namespace,
            self.timeout_s,
            self.progress,
            configurations,
            self.act_as,
            self.act_as_groups,
        )

    def _check(self) -> None:
        places = {"--snapshot": self.snapshot, "-f": self.files, "--eks": self.eks, "--demo": self.demo}
        asked = [flag for flag, given in places.items() if given]
        if len(asked) > 1:
            raise BadInput(f"{' and '.join(asked)} cannot be used together", "Give one place to read from.")
        of_kubeconfig: dict[str, object] = {"--context": self.context, "--kubeconfig": self.kubeconfig}
        of_aws = {"--region": self.region, "--profile": self.profile}
        of_live: dict[str, object] = (
            of_kubeconfig | of_aws | {"--namespace": self.namespace, "--request-timeout": self.timeout_s}
        )
        of_live |= {"--as": self.act_as, "--as-group": self.act_as_groups}
        of_live |= {"--prometheus": self.prometheus, "--cloudwatch": self.cloudwatch}
        of_others = of_kubeconfig if asked == ["--eks"] else of_live if asked else {}
        if self.as_of is not None and not self.files:
            raise BadInput("--as-of is the time of files alone", "Give it with -f, or leave it out.")
        for flag, given in of_others.items():
            if given:
                raise BadInput(f"{flag} and {asked[0]} cannot be used together", f"Leave out {flag} or {asked[0]}.")


def doctor(options: SourceOptions) -> list[dict[str, str]]:
    """What can be reached and read: rows of `what`, `answer` (yes, no, skipped), `detail`, `fix`."""
    from addonctl.adapters import decoders
    from addonctl.adapters import doctor as checks

    now, source = CLOCK.now(), options.source(catalog())
    machine = checks.of_machine(cache_dir(), now.date())
    if options.is_saved:
        what = "snapshot" if options.snapshot else "files" if options.files else "demo"
        cluster = checks.of_saved(what, source.snapshot, now)
    else:
        cluster = checks.of_cluster(options.live(catalog()), decoders.KINDS)
    return [asdict(check) for check in (*machine, *cluster)]


def manager(
    options: SourceOptions,
    waivers: tuple[Waiver, ...] = (),
    windows: tuple[Window, ...] = (),
    freezes: tuple[Freeze, ...] = (),
) -> Manager:
    """A Manager for the chosen source; it can probe if that is a live cluster."""
    known = catalog()
    source = options.source(known)
    prober = source if isinstance(source, ports.Prober) else None
    kubernetes = Minor.of(options.kubernetes) if options.kubernetes else None
    configurer = (lambda: configuring(options)) if isinstance(source, ports.Inspector) else None
    uses = partial(_use_of, options)
    return Manager(source, known, CLOCK, kubernetes, waivers, prober, windows, freezes, configurer, prices, uses)


def manifests(paths: tuple[str, ...]) -> "Snapshot":
    """What manifests hold that would be applied."""
    from addonctl.adapters.sources import saved

    return saved.Manifests(paths, catalog(), CLOCK).snapshot()


def prices(region: str) -> "PriceTable":
    """The prices of a region; if the user's own are damaged, that is said and the packaged ones are taken."""
    from addonctl.adapters import price_table
    from addonctl.render import screen

    try:
        return price_table.load(region, cache_dir())
    except BadInput as error:
        screen.note(f"Note: {error.what}; using the packaged prices. {error.fix}")
        return price_table.load(region)


def bill(files: "tuple[str, ...]", names: "ClusterNames", profile: str) -> ports.Bills:
    """A bill in these files; of Cost Explorer, for the last 30 whole days, where there are none."""
    from datetime import timedelta

    from addonctl.adapters.bills import BillFiles, CostExplorer

    if files:
        return BillFiles([Path(file) for file in files])
    today = CLOCK.now().date()
    return CostExplorer(profile or None, names.tags, today - timedelta(days=30), today)


def checkpoints() -> "CheckpointFolder":
    """The checkpoints of this user; encrypted where $ADDONCTL_KEY_FILE names a key."""
    from addonctl.adapters.checkpoints import CheckpointFolder

    key = os.environ.get("ADDONCTL_KEY_FILE")
    return CheckpointFolder(state_dir() / "checkpoints", Path(key) if key else None)


def configurations() -> "CheckpointFolder":
    """The configurations that plans of this user name, stored as checkpoints are, beside them."""
    from addonctl.adapters.checkpoints import CheckpointFolder

    key = os.environ.get("ADDONCTL_KEY_FILE")
    return CheckpointFolder(state_dir() / "configurations", Path(key) if key else None)


def configuring(options: SourceOptions) -> "Configuring":
    """What finds out what values change in the chosen live cluster."""
    from addonctl.adapters.values_files import parsed
    from addonctl.configuring import Configuring

    return Configuring(executor(options, "").ports, parsed)


def forget(plan: "Plan") -> None:
    """Deletes the configurations that a plan names, which nobody is to carry out any more."""
    for step in plan.steps:
        if step.configuration is not None:
            for id in (step.configuration.was, step.configuration.goal):
                configurations().delete(id)


def run_id(plan: "Plan") -> str:
    """A new run's id: what it changes, when, and what makes it unique."""
    import secrets

    about = plan.steps[0].addon if len(plan.steps) == 1 else "many"
    return f"{about}-{CLOCK.now():%m%d-%H%M}-{secrets.token_hex(2)}"


def whoami() -> str:
    """Who asks for changes, for the audit record."""
    import getpass
    import socket

    return f"{getpass.getuser()}@{socket.gethostname()}"


def prometheus(options: SourceOptions, live: "LiveCluster") -> "Prometheus | None":
    """The Prometheus that knows a live cluster; see adapters.prometheus.choose."""
    from addonctl.adapters import config_file
    from addonctl.adapters.prometheus import choose

    if options.prometheus == "none":
        return None
    return choose(options.prometheus, live.names, config_file.load().prometheus, live.connection)


def usage(
    options: SourceOptions,
    *,
    daily: bool = False,
    means: bool = False,
    growth: bool = False,
    now_will_do: bool = True,
) -> ports.Usage:
    """What knows the use of the chosen live cluster: CloudWatch if it is asked for, else its Prometheus.

    Without a Prometheus it is the metrics API, which knows only now.

    `daily`: each day by itself; `means`: nothing but means; `growth`: how large the cluster was as well. Of the demo it
    is made up. Raises BadInput for another source that is not live, and without a Prometheus where now will not do; and
    what went wrong with one that there is.
    """
    from addonctl.adapters.sources import saved
    from addonctl.adapters.sources.invented import InventedUsage
    from addonctl.adapters.usage import MetricsApiUsage, PrometheusUsage
    from addonctl.render import screen

    if options.demo:
        return InventedUsage(saved.Demo().snapshot())
    if options.is_saved:
        raise BadInput("Use is read from a live cluster alone", "Give --context, or --eks.")
    live = options.live(catalog())
    if options.cloudwatch:
        return _container_insights(options, live, daily=daily, means=means)
    found = prometheus(options, live)
    if found is not None:
        return PrometheusUsage(found, daily, means, slis={} if means else _all_slis(), growth=growth)
    if not now_will_do:
        raise BadInput("There is no Prometheus in the cluster, and none was given", "Give --prometheus URL.")
    screen.note("Note: no Prometheus was found; the metrics API knows only what is used now.")
    return MetricsApiUsage(live.connection)


def _use_of(options: SourceOptions, source: ports.Source, snapshot: "Snapshot") -> ports.Usage:
    """What knows the use of what a source has read, for a glance; see usage."""
    from addonctl.adapters.sources.invented import InventedUsage
    from addonctl.adapters.sources.live import LiveCluster
    from addonctl.adapters.usage import MetricsApiUsage, PrometheusUsage

    if options.demo:
        return InventedUsage(snapshot)
    if not isinstance(source, LiveCluster):
        raise BadInput("what is used is read from a live cluster alone", "Give --context, or --eks.")
    if options.cloudwatch:
        return _container_insights(options, source, daily=False, means=False)
    found = prometheus(options, source)
    if found is None:
        return MetricsApiUsage(source.connection)
    return PrometheusUsage(found, glance=True, slis=_all_slis())


def _all_slis() -> "Mapping[str, Sequence[CountedSli]]":
    return {addon.id: addon.counted_slis for addon in catalog().addons.values()}


def _container_insights(options: SourceOptions, live: "LiveCluster", *, daily: bool, means: bool) -> ports.Usage:
    from addonctl.adapters.cloudwatch import ContainerInsights

    if options.prometheus:
        raise BadInput("--cloudwatch and --prometheus cannot be used together", "Give one.")
    region, name = live.eks_place
    if not name:
        raise BadInput("Which EKS cluster it is, is not known", "Give --eks CLUSTER.")
    return ContainerInsights(live.aws(region), name, daily, means)


def counting(options: SourceOptions, plan: "Plan") -> "Plan":
    """The plan, judged by SLIs from Prometheus as well, where one answers. Raises what went wrong with a given one."""
    from addonctl.plan import counting
    from addonctl.render import screen

    more = counting(plan, catalog())
    if more == plan:
        return plan
    try:
        found = prometheus(options, replace(options, progress=ports.silent).live(catalog()))
    except AddonctlError as error:
        if options.prometheus:
            raise
        screen.note(f"Note: no SLIs from Prometheus: {error.what}")
        return plan
    if found is None:
        return plan
    screen.note(f"SLIs from Prometheus are watched as well: {found.name}")
    return more


def executor(options: SourceOptions, run_id: str, cluster: str = "") -> "Executor":
    """What changes the chosen live cluster. Raises BadInput where that is not `cluster`."""
    from addonctl.adapters.api_objects import ApiObjects
    from addonctl.adapters.assessor import BackgroundAssessor
    from addonctl.adapters.eks_addons import EksAddonApi
    from addonctl.adapters.gitops import GitOpsObjects
    from addonctl.adapters.helm_binary import HelmBinary, HelmSecrets
    from addonctl.adapters.manifest_files import ManifestFiles
    from addonctl.adapters.refusal_reader import RefusalReader
    from addonctl.adapters.signals import ProbeSignals, Together
    from addonctl.adapters.signals.counters import CounterSignals
    from addonctl.executor import Executor
    from addonctl.hands import Ports

    # The cluster is read again and again beside the run, which has a display of its own.
    live = replace(options, progress=ports.silent).live(catalog())
    if cluster and cluster not in live.names:
        raise BadInput(f"This is cluster {live.names[0]}, and the run is one of {cluster}", "Give its --context.")
    region, name = live.eks_place
    objects, addons = ApiObjects(live.connection, run_id), EksAddonApi(live.aws(region), name)
    releases = HelmSecrets(objects)
    acting_as = (options.act_as, options.act_as_groups)
    return Executor(
        Ports(
            reader=objects,
            writer=objects,
            eks=addons,
            eks_writer=addons,
            gitops=GitOpsObjects(objects, objects),
            helm=releases,
            helm_writer=HelmBinary(
                releases, Path(options.kubeconfig) if options.kubeconfig else None, options.context, acting_as=acting_as
            ),
            manifests=ManifestFiles(),
            checkpoints=checkpoints(),
            configurations=configurations(),
            signals=Together(
                ProbeSignals(live.connection),
                CounterSignals(cache(lambda: prometheus(options, live)), objects, _counted_slis),
            ),
            clock=CLOCK,
            assessor=BackgroundAssessor(Manager(live, catalog(), CLOCK).assess, RefusalReader(live.connection).refused),
        )
    )


def _counted_slis(addon: str) -> "tuple[CountedSli, ...]":
    known = catalog().addons.get(addon)
    return known.counted_slis if known else ()


def proposed(plan: "Plan", folder: str, values: "Values | None" = None) -> "Iterator[live.Proposal]":
    """The steps of a plan that GitOps controllers carry out, as commits in a checkout; `values` come with the last."""
    from addonctl.adapters.git_checkout import GitCheckout
    from addonctl.model import live

    checkout = GitCheckout(Path(folder))
    for step in plan.steps:
        if isinstance(step.owner, live.Reconciled) and step.to_version:
            yield checkout.propose(step.owner, str(step.to_version), values if step.configuration else None)


def notices() -> "Notices":
    """The notices of runs that the settings ask for."""
    from addonctl.adapters import config_file
    from addonctl.adapters.notices import Notices
    from addonctl.render import runs

    return Notices(config_file.load().receivers, runs.entry_text, runs.run_document)


def worker(options: SourceOptions, run_id: str, told: "Told", cluster: str = "") -> "Worker":
    """A worker of this process for the chosen live cluster. Raises BadInput where that is not `cluster`."""
    from addonctl.adapters.journal import worker_name
    from addonctl.worker import Worker

    name = worker_name()
    return Worker(name, executor(options, run_id, cluster), journal(name), CLOCK, told)


def open_manager(
    *,
    context: str = "",
    kubeconfig: str = "",
    namespace: str = "",
    eks: str = "",
    region: str = "",
    profile: str = "",
    snapshot: str = "",
    files: str | tuple[str, ...] = (),
    demo: bool = False,
    kubernetes: str = "",
    timeout_s: float | None = None,
    waivers: tuple[Waiver, ...] = (),
    windows: tuple[Window, ...] = (),
    freezes: tuple[Freeze, ...] = (),
) -> Manager:
    """A Manager for a live cluster (kubeconfig context, or EKS name and region), a snapshot, or files.

    `timeout_s` is how long to wait for one response of a server; None: 30 s. Raises BadInput when two sources are
    given, or an option that does not apply to the source. Nothing is read before the first method is called.
    """
    options = SourceOptions(
        context=context,
        kubeconfig=kubeconfig,
        namespace=namespace,
        eks=eks,
        region=region,
        profile=profile,
        snapshot=snapshot,
        files=(files,) if isinstance(files, str) else tuple(files),
        demo=demo,
        kubernetes=kubernetes,
        timeout_s=timeout_s,
    )
    return manager(options, waivers, windows, freezes)


__all__ = [
    "CLOCK",
    "SourceOptions",
    "cache_dir",
    "catalog",
    "doctor",
    "journal",
    "manager",
    "open_manager",
    "state_dir",
]
