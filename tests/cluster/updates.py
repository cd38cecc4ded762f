"""Runs of plans against a real cluster, with everything real but the journal: what the tests of updates share."""

import time
from pathlib import Path

from addonctl.adapters.api_connection import connect
from addonctl.adapters.api_objects import ApiObjects
from addonctl.adapters.aws import Aws
from addonctl.adapters.checkpoints import CheckpointFolder
from addonctl.adapters.clock import SystemClock
from addonctl.adapters.eks_addons import EksAddonApi
from addonctl.adapters.gitops import GitOpsObjects
from addonctl.adapters.helm_binary import HelmBinary, HelmSecrets
from addonctl.adapters.manifest_files import ManifestFiles
from addonctl.adapters.signals import ProbeSignals
from addonctl.executor import Executor
from addonctl.hands import Ports
from addonctl.model.plan import Plan
from addonctl.model.run import Limits, Run
from addonctl.sim.journal import Shelf, SimJournal
from addonctl.worker import Worker
from tests.cluster import build
from tests.cluster.cluster import Cluster
from tests.cluster.lab import NAME

LIMITS = Limits(baseline_s=4, apply_s=90, look_s=2)


def objects_of(cluster: Cluster) -> ApiObjects:
    return ApiObjects(connect(None, str(cluster.kubeconfig)), "run-1")


def driven(cluster: Cluster, plan: Plan, folder: Path) -> Run:
    """A run of `plan`, at its end, under the product's own probes. `folder` is for the checkpoints."""
    objects, addons, clock = objects_of(cluster), EksAddonApi(Aws(), NAME), SystemClock()
    releases = HelmSecrets(objects)
    hands = Ports(
        reader=objects,
        writer=objects,
        eks=addons,
        eks_writer=addons,
        checkpoints=CheckpointFolder(folder),
        signals=ProbeSignals(connect(None, str(cluster.kubeconfig))),
        clock=clock,
        gitops=GitOpsObjects(objects, objects),
        helm=releases,
        manifests=ManifestFiles(),
        helm_writer=HelmBinary(releases, cluster.kubeconfig, program=str(build.HELM.folder / "helm")),
    )
    worker = Worker("lab", Executor(hands), SimJournal(Shelf(), "lab", clock), clock)
    return worker.drive(worker.begin(f"lab-{time.time_ns()}", plan, "somebody", limits=LIMITS))


def as_told(run: Run) -> str:
    return "\n".join(f"{entry.at:%H:%M:%S} {entry.phase} {entry.wave} {entry.why or ''}" for entry in run.timeline)
