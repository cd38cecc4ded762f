"""The library's front door: the same operations as the CLI, over whatever source it is given.

    from addonctl import open_manager
    analysis = open_manager(context="prod-eu-1").analyze_addon_ecosystem()

Reading goes through the Source port and probing through the Prober port; the assessment itself is pure.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from addonctl.assessment import Assessment, assess, installations_of, new_since
from addonctl.catalog import Catalog
from addonctl.catalog.prices import PriceTable
from addonctl.configuring import Configuring, check_owner
from addonctl.cost import By, Estimate, estimate, summarise
from addonctl.dashboard import Dashboard, dashboard
from addonctl.dependencies import find_dependencies
from addonctl.ecosystem import EcosystemAnalysis, ecosystem
from addonctl.efficiency import efficiency
from addonctl.errors import AddonctlError, BadInput
from addonctl.inventory import take_inventory
from addonctl.lifecycle import LifecycleManagement, lifecycle
from addonctl.logs import wanted, with_lines
from addonctl.model import Snapshot, View, Workload
from addonctl.model.checkpoint import CheckpointEntry, Differences
from addonctl.model.forecast import Unknown
from addonctl.model.manifests import Manifests
from addonctl.model.opportunity import Opportunities
from addonctl.model.plan import Plan, Step
from addonctl.model.sizing import Risk
from addonctl.model.spending import CostDay
from addonctl.opportunities import find_opportunities
from addonctl.plan import (
    check_premises,
    checkpoint_plan,
    creation_plan,
    letting_go_plan,
    removal_plan,
    restore_plan,
    update_plan,
    upgrade_plan,
    with_configuration,
    with_differences,
)
from addonctl.ports import Clock, Inspector, LogReader, Prober, Source, Usage
from addonctl.preflight import Prepared, preflight
from addonctl.resizing import resize
from addonctl.upgrading import UpgradeReport, upgrade_report
from addonctl.usage import UsageReport, containers_of, used_by_pods
from addonctl.usage import report as usage_report
from addonctl.values import Values
from addonctl.versions import Minor
from addonctl.waivers import Waiver
from addonctl.windows import Freeze, Window, closed


@dataclass(frozen=True)
class Manager:
    """Reads a cluster's snapshot from a source and assesses it against the catalog.

    `kubernetes` is the running minor, for sources that do not know it. `waivers` accept findings for a time. `prober`
    probes the add-ons of the live cluster that the source reads; None where the source is a file. `windows` and
    `freezes` say when changes may begin. `configurer` finds what values change; None where the source is a file.
    `prices` are those of a region; None where nothing is to be priced. `metrics` finds what knows the use of what the
    source has read; it raises BadInput where nothing does.
    """

    source: Source
    catalog: Catalog
    clock: Clock
    kubernetes: Minor | None = None
    waivers: tuple[Waiver, ...] = ()
    prober: Prober | None = None
    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    configurer: Callable[[], Configuring] | None = None
    prices: Callable[[str], PriceTable] | None = None
    metrics: Callable[[Source, Snapshot], Usage] | None = None

    def snapshot(self) -> Snapshot:
        """Everything read from the cluster."""
        return self.source.snapshot()

    def assess(
        self,
        *,
        target: Minor | None = None,
        probe: bool = False,
        logs: bool = False,
        since: Snapshot | None = None,
    ) -> Assessment:
        """The assessment of the cluster, for its own Kubernetes and up to `target` (the next minor if None).

        `probe` also probes the add-ons; `logs` also reads the last lines of their containers that are not ready.
        `since` is an older snapshot of the same cluster: only findings that it does not have, or rates less severe,
        are listed. Raises BadInput when a file is to be probed or its logs are asked for, or when `since` is of
        another cluster.
        """
        if probe and self.prober is None:
            raise BadInput("Only a live cluster can be probed", "Do not probe, or read a live cluster.")
        if logs and not isinstance(self.source, LogReader):
            raise BadInput("Only a live cluster has logs", "Do without --logs, or read a live cluster.")
        found = self._assess(self.snapshot(), target, probe=probe, logs=logs)
        return found if since is None else new_since(found, self._assess(since, target))

    def plan_update(self, addon: str, to: str) -> Plan:
        """An add-on to a version, `default` or `latest-compatible`: see plan.update_plan. Changes nothing."""
        return update_plan(self.assess(), self.catalog, addon, to, self.clock.now())

    def plan_upgrade(self, target: Minor) -> Plan:
        """All that has to change for the control plane to get to `target`: see plan.upgrade_plan. Changes nothing."""
        return upgrade_plan(self.assess(target=target), self.catalog, target, self.clock.now())

    def prepare_update(
        self, addon: str, to: str = "", manifests: Manifests | None = None, values: Values | None = None
    ) -> Prepared:
        """`plan_update` with what speaks against it: see preflight. Changes nothing in the cluster.

        `values` are to be merged over its configuration; without `to`, its version stays.
        """
        assessment, now, configured = self.assess(), self.clock.now(), bool(values)
        plan = update_plan(assessment, self.catalog, addon, to, now, manifests, configured=configured)
        return self._prepared(assessment, self._configured(plan, values) if values else plan)

    def prepare_creation(
        self, addon: str, to: str = "", values: Values | None = None, adopt: str = "", role_arn: str = ""
    ) -> Prepared:
        """An EKS add-on that is not there, or with `adopt` over what somebody applied: see plan.creation_plan."""
        assessment, now = self.assess(), self.clock.now()
        plan = creation_plan(assessment, self.catalog, addon, to, now, adopt, role_arn)
        if values:
            plan = with_configuration(plan, self._configurer().change(plan.cluster, plan.steps[-1], values))
        return self._prepared(assessment, plan)

    def prepare_removal(self, addon: str) -> Prepared:
        """An add-on deleted with its objects: see plan.removal_plan."""
        assessment = self.assess()
        return self._prepared(assessment, removal_plan(assessment, self.catalog, addon, self.clock.now()))

    def prepare_letting_go(self, addon: str) -> Prepared:
        """An EKS add-on that EKS is to forget, while its objects stay: see plan.letting_go_plan."""
        assessment = self.assess()
        return self._prepared(assessment, letting_go_plan(assessment, self.catalog, addon, self.clock.now()))

    def _configured(self, plan: Plan, values: Values) -> Plan:
        check_owner(plan.steps[-1])
        return with_configuration(plan, self._configurer().change(plan.cluster, plan.steps[-1], values))

    def _configurer(self) -> Configuring:
        if self.configurer is None:
            raise BadInput("A configuration is read from a live cluster alone", "Give --context, or --eks.")
        return self.configurer()

    def prepare_saved(self, plan: Plan) -> Prepared:
        """A plan that was made before, held against the cluster as it is now. Raises BadInput where that has moved."""
        assessment = self.assess()
        check_premises(plan, assessment)
        for step in plan.steps:
            if step.configuration is not None:
                self._configurer().check(step)
        return self._prepared(assessment, plan)

    def prepare_upgrade(self, target: Minor) -> Prepared:
        """`plan_upgrade` with what speaks against it: see preflight. Changes nothing."""
        assessment = self.assess(target=target)
        return self._prepared(assessment, upgrade_plan(assessment, self.catalog, target, self.clock.now()))

    def upgrade_report(self, target: Minor | None = None) -> tuple[Assessment, UpgradeReport]:
        """What it takes to get to `target` (the next minor if None), and the assessment behind it. Changes nothing.

        Raises BadInput where nobody knows what runs, or `target` is not above it.
        """
        assessment = self.assess(target=target)
        to = target or assessment.kubernetes.newest
        prepared = self._prepared(assessment, upgrade_plan(assessment, self.catalog, to, self.clock.now()))
        return assessment, upgrade_report(assessment, prepared, self.catalog)

    def prepare_restore(
        self, goal: str, entries: Sequence[CheckpointEntry], differing: Callable[[Step], Differences]
    ) -> Prepared:
        """Installations to what checkpoints hold of them, and what speaks against it. Changes nothing.

        `differing`: what of a step's checkpoint is otherwise now.
        """
        assessment = self.assess()
        plan = restore_plan(assessment, self.catalog, goal, entries, self.clock.now())
        return self._prepared(assessment, with_differences(plan, tuple(map(differing, plan.steps))))

    def _prepared(self, assessment: Assessment, plan: Plan) -> Prepared:
        facts = self.source.facts(assessment.view, plan) if isinstance(self.source, Inspector) else {}
        shut = closed(self.windows, self.freezes, plan.cluster, self.clock.now())
        return Prepared(plan, preflight(plan, assessment, self.catalog, facts, shut))

    def plan_checkpoint(self, addon: str) -> Plan:
        """The step of which executor.checkpoint makes one: see plan.checkpoint_plan. Changes nothing."""
        return checkpoint_plan(self.assess(), self.catalog, addon, self.clock.now())

    def usage(self, assessment: Assessment, source: Usage, window: timedelta, addon: str = "") -> UsageReport:
        """What the containers of an add-on (empty: of all) used over a window until now, and what they request.

        Raises BadInput where it is not installed.
        """
        view, owners = assessment.view, assessment.dependencies.owners
        mine = installations_of(assessment, addon)
        workloads = [w for ref, w in view.workloads.items() if owners.get(ref) in mine]
        return self._used(assessment, source, window, workloads, mine)

    def usage_of_all(self, assessment: Assessment, source: Usage, window: timedelta) -> UsageReport:
        """The same of all workloads, of add-ons and of others."""
        mine = installations_of(assessment, "")
        return self._used(assessment, source, window, tuple(assessment.view.workloads.values()), mine)

    def _used(
        self,
        assessment: Assessment,
        source: Usage,
        window: timedelta,
        workloads: Sequence[Workload],
        mine: Collection[str],
    ) -> UsageReport:
        metrics = source.of(containers_of(workloads), self.clock.now(), window)
        addons = frozenset(row.addon for row in assessment.inventory.installations if row.id in mine)
        return usage_report(assessment.view, assessment.dependencies.owners, workloads, metrics, addons)

    def priced_by_use(self, assessment: Assessment, source: Usage, window: timedelta) -> Assessment:
        """The assessment, its cost split by the greater of requests and use over a window until now."""
        return _by_use(assessment, self.usage_of_all(assessment, source, window))

    def dashboard(
        self,
        assessment: Assessment,
        days: Sequence[CostDay] | Unknown,
        used: UsageReport | Unknown,
        made_up: tuple[str, ...] = (),
    ) -> Dashboard:
        """The page of an assessment: with the days that were recorded, and the use of all workloads, as known.

        Costs are split by use as well where that is known over a window.
        """
        report = used if isinstance(used, UsageReport) and used.metrics.window else None
        if report is not None:
            assessment = _by_use(assessment, report)
        found = self.opportunities(assessment, report)
        return dashboard(assessment, self.catalog, self.clock.now(), found, days=days, used=used, made_up=made_up)

    def opportunities(
        self, assessment: Assessment, report: UsageReport | None = None, risk: Risk = Risk.MEDIUM
    ) -> Opportunities:
        """Where its add-ons could cost less; with a `report` of use, by days, also by what they request too much."""
        assert self.prices is not None, "assessed without prices"
        resizings = resize(assessment, report, self.catalog, risk) if report else ()
        return find_opportunities(assessment, self.catalog, self.prices, resizings)

    def estimate(self, assessment: Assessment, manifests: Snapshot) -> Estimate:
        """What manifests would cost in the cluster of an assessment, before they are applied."""
        assert self.prices is not None, "assessed without prices"
        view = View(manifests)
        inventory = take_inventory(view, self.catalog)
        owners = find_dependencies(view, inventory, self.catalog).owners
        return estimate(assessment.view, view, inventory, self.catalog, self.prices, owners)

    def analyze_addon_ecosystem(
        self, cluster_name: str = "", window: timedelta | None = timedelta(days=7)
    ) -> EcosystemAnalysis:
        """The cluster's add-ons: how each was installed, its health, its compatibility, and what to do about it.

        With what each costs, uses and has to do over `window` (None: use is not asked for). `cluster_name` may name the
        source's cluster. Raises BadInput when it names another one.
        """
        named = self if not cluster_name else self._named(cluster_name)
        assessment = named.assess()
        return named.ecosystem(assessment, window)

    def ecosystem(self, assessment: Assessment, window: timedelta | None) -> EcosystemAnalysis:
        """The answer of `analyze_addon_ecosystem` for an assessment of this source."""
        used = Unknown("use was not asked for") if window is None else self._glance(assessment, window)
        if self.prices is None or assessment.cost is None:
            return ecosystem(assessment, used)
        found = self.opportunities(assessment)
        rows = summarise(assessment.cost, By.ADDON, assessment.inventory, self.catalog)
        # Opportunities without days of use judge nothing that pods request.
        return ecosystem(assessment, used, found, efficiency(assessment.cost, rows, found, Unknown("")))

    def _glance(self, assessment: Assessment, window: timedelta) -> UsageReport | Unknown:
        if self.metrics is None:
            return Unknown("nothing is known that knows it")
        try:
            return self.usage_of_all(assessment, self.metrics(self.source, assessment.snapshot), window)
        except AddonctlError as error:
            return Unknown(error.what)

    def automated_addon_lifecycle_management(self, cluster_name: str = "") -> LifecycleManagement:
        """What is due for the cluster's add-ons: updates with their way back, migrations from what is retired.

        `cluster_name` may name the source's cluster. Raises BadInput when it names another one. Changes nothing.
        """
        named = self if not cluster_name else self._named(cluster_name)
        return lifecycle(named.assess(), self.catalog, self.clock.now())

    def _named(self, cluster: str) -> "Manager":
        source = self.source.named(cluster)
        prober = source if self.prober is not None and isinstance(source, Prober) else None
        return Manager(
            source,
            self.catalog,
            self.clock,
            self.kubernetes,
            self.waivers,
            prober,
            prices=self.prices,
            metrics=self.metrics,
        )

    def _assess(
        self, snapshot: Snapshot, target: Minor | None, *, probe: bool = False, logs: bool = False
    ) -> Assessment:
        view = View(snapshot)
        inventory = take_inventory(view, self.catalog)
        if logs and isinstance(self.source, LogReader):
            read = self.source.last_lines(wanted(view, inventory))
            view = View(with_lines(snapshot, read.lines, read.gaps))
        answers = self.prober.probe(view, inventory) if probe and self.prober is not None else ()
        return assess(
            view,
            inventory,
            self.catalog,
            day=self.clock.now().date(),
            kubernetes=self.kubernetes,
            target=target,
            waivers=self.waivers,
            probes=answers,
            prices=self.prices,
        )


def _by_use(assessment: Assessment, used: UsageReport) -> Assessment:
    assert assessment.pricing is not None, "assessed without prices"
    return replace(assessment, pricing=partial(assessment.pricing, used=used_by_pods(used.metrics)))
