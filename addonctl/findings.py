"""The registry of checks: every code once, with its title, severity rule, reason, aspect of health and general fix.

Capabilities make findings by code, in functions that declare their codes (`makes`); the command line, the scores, the
reports, SARIF's rules and the reference page loop over this table. It is in order of urgency: causes before their
effects, what is broken before what will break. The code of a retired check is never reused.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, TypeVar

from addonctl.model import Action, Evidence, Finding, Severity, Subject, names_of


class Capability(StrEnum):
    """The capabilities that make findings."""

    INVENTORY = "inventory"
    COMPATIBILITY = "compatibility"
    DEPENDENCIES = "dependencies"
    HEALTH = "health"
    WAIVERS = "waivers"
    PREFLIGHT = "preflight"  # of a plan, before it starts; not part of an assessment


class Aspect(StrEnum):
    """The aspect of health that a check examines; health/scores.py weights those of an add-on."""

    NODES = "nodes"  # concerns the cluster, not an add-on
    OBJECTS = "objects"  # objects that should exist
    ROLLOUT = "rollout"
    PODS = "pods"
    ENDPOINTS = "endpoints"
    ADMISSION = "admission"
    APIS = "apis"
    RESILIENCE = "resilience"
    LEADERSHIP = "leadership"
    EVENTS = "events"
    CUSTOM_RESOURCES = "custom resources"
    PROBE = "probe"
    EKS = "eks"


class Need(StrEnum):
    """What a check needs besides the parts that it reads; without it, its silence means nothing."""

    KUBERNETES = "kubernetes"  # the running Kubernetes is known
    WHOLE_CLUSTER = "whole-cluster"  # a file need not contain what its objects refer to
    STATE = "state"  # the state of an add-on was read
    PROBES = "probes"  # add-ons were probed


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One kind of finding. `why` says why it matters; `fix` applies unless the finding has a more specific one.

    `severity` applies unless a case of `otherwise` (severity, when) does. If one of `parts` was not read, or one of
    `needs` is not met, the absence of findings means nothing. `aspect` is None if the check is not about health.
    `acceptable`: of a preflight check, whether a person may go on in spite of it; not where nothing could come of it.
    """

    code: str
    title: str
    severity: Severity
    capability: Capability
    why: str
    fix: str
    aspect: Aspect | None = None
    parts: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    otherwise: tuple[tuple[Severity, str], ...] = ()
    acceptable: bool = True

    @property
    def severities(self) -> tuple[Severity, ...]:
        """Every severity that its findings can have."""
        return self.severity, *(severity for severity, _ in self.otherwise)


_TABLE = (
    Check(
        code="HLT021",
        title="A node is not ready",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="Its pods are lost or stuck, DaemonSets run one pod short, and the other nodes have less room.",
        fix="`kubectl describe node` says why; replace the node if it does not come back.",
        aspect=Aspect.NODES,
        parts=("nodes",),
    ),
    Check(
        code="HLT024",
        title="A node is under pressure, has no network, or a part of it is broken",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="It evicts pods and accepts no new ones.",
        fix="`kubectl describe node` says which resource is short; free some, or replace the node.",
        aspect=Aspect.NODES,
        parts=("nodes",),
    ),
    Check(
        code="DEP003",
        title="Something that an add-on needs does not exist",
        severity=Severity.REQUIRED,
        capability=Capability.DEPENDENCIES,
        why="Its pods cannot start again, or it cannot do its work.",
        fix="Create it, or apply the add-on again the way it was installed.",
        aspect=Aspect.OBJECTS,
        parts=(
            "workloads",
            "services",
            "service_accounts",
            "roles",
            "volume_claims",
            "storage_classes",
            "csi_drivers",
            "crds",
            "api_services",
            "webhook_configurations",
        ),
        needs=(Need.WHOLE_CLUSTER,),
        otherwise=((Severity.RECOMMENDED, "only what it can run without is missing"),),
    ),
    Check(
        code="DEP004",
        title="An add-on's ServiceAccount has no permissions",
        severity=Severity.REQUIRED,
        capability=Capability.DEPENDENCIES,
        why="Its controller can neither read nor write what it manages; it fails at its next restart at the latest.",
        fix="Apply the add-on's RBAC again the way it was installed.",
        aspect=Aspect.OBJECTS,
        parts=(
            "workloads",
            "service_accounts",
            "roles",
            "role_bindings",
        ),
        needs=(Need.WHOLE_CLUSTER,),
    ),
    Check(
        code="DEP005",
        title="An add-on lacks a right that its version needs",
        severity=Severity.REQUIRED,
        capability=Capability.DEPENDENCIES,
        why="It is refused what it lists and watches: it serves what is out of date, or never gets ready.",
        fix="Apply the RBAC of the version that runs.",
        aspect=Aspect.OBJECTS,
        parts=("workloads", "service_accounts", "roles", "role_bindings"),
        otherwise=((Severity.RECOMMENDED, "only some of its settings need it"),),
    ),
    Check(
        code="HLT033",
        title="An add-on that calls AWS has no IAM role of its own, or a wrong one",
        severity=Severity.INFO,
        capability=Capability.HEALTH,
        why="It has the role of its node, if any: what that allows, every pod there may do; and where pods cannot "
        "reach it (Fargate, a hop limit of 1), AWS refuses the add-on.",
        fix="Give its ServiceAccount a role, by a Pod Identity association or by its annotation.",
        parts=("workloads", "service_accounts", "eks:addons", "eks:pod_identities"),
        otherwise=(
            (Severity.REQUIRED, "AWS refuses it, it runs where nodes have no role, or what is named is no role"),
            (Severity.RECOMMENDED, "two roles are named for one ServiceAccount"),
        ),
    ),
    Check(
        code="INV006",
        title="An add-on that every cluster needs is gone",
        severity=Severity.REQUIRED,
        capability=Capability.DEPENDENCIES,
        why="What runs keeps running for a while; new pods, nodes and connections fail.",
        fix="Install it again.",
        aspect=Aspect.OBJECTS,
        parts=(
            "workloads",
            "service_accounts",
            "nodes",
        ),
        needs=(Need.WHOLE_CLUSTER,),
    ),
    Check(
        code="HLT002",
        title="An add-on's image cannot be pulled",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="New pods do not start; the old ones are lost at the next drain.",
        fix="Correct the image name or the access to its registry, or roll back.",
        aspect=Aspect.PODS,
        parts=(
            "workloads",
            "pods",
        ),
        needs=(Need.STATE,),
    ),
    Check(
        code="HLT001",
        title="An add-on's pod is crash-looping",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="It restarts faster than it serves.",
        fix="Read the log of its last run; roll back if this began with a change.",
        aspect=Aspect.PODS,
        parts=(
            "workloads",
            "pods",
        ),
        needs=(Need.STATE,),
    ),
    Check(
        code="HLT003",
        title="An add-on's container cannot be created",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="Something that its pod refers to is missing or wrong.",
        fix="`kubectl describe pod` shows what is missing.",
        aspect=Aspect.PODS,
        parts=(
            "workloads",
            "pods",
        ),
        needs=(Need.STATE,),
    ),
    Check(
        code="HLT025",
        title="An add-on's pod waits for its volume",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="It is not scheduled before there is one; more nodes do not help.",
        fix="`kubectl describe pvc` says what its provisioner fails at.",
        aspect=Aspect.PODS,
        parts=("workloads", "pods", "volume_claims"),
        needs=(Need.STATE,),
    ),
    Check(
        code="HLT004",
        title="An add-on pod is unschedulable",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="No node that it may run on has room for it.",
        fix="Add nodes, or lower its requests or affinity.",
        aspect=Aspect.PODS,
        parts=(
            "workloads",
            "pods",
        ),
        needs=(Need.STATE,),
    ),
    Check(
        code="HLT019",
        title="A quota is exhausted in an add-on's namespace",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="A pod that goes away cannot be replaced.",
        fix="Raise the quota, or use less.",
        aspect=Aspect.EVENTS,
        parts=("quotas",),
    ),
    Check(
        code="HLT006",
        title="An add-on is scaled to zero",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="It does nothing; what depends on it fails.",
        fix="Scale it up, or uninstall it.",
        aspect=Aspect.ROLLOUT,
        parts=("workloads",),
        otherwise=((Severity.REQUIRED, "every cluster needs the add-on"),),
    ),
    Check(
        code="HLT027",
        title="Objects wait for an add-on that is not installed",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="Claims get no volume, Ingresses and Services no address, pods no credentials, nodes no pods.",
        fix="Install it, or take what waits for it to another one.",
        aspect=Aspect.OBJECTS,
        parts=(
            "workloads",
            "pods",
            "nodes",
            "volume_claims",
            "storage_classes",
            "csi_drivers",
            "ingresses",
            "ingress_classes",
            "services",
        ),
        needs=(Need.STATE,),
    ),
    Check(
        code="HLT028",
        title="An add-on's agent does not run on nodes where pods need it",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="Pods there do not start: nobody mounts their volumes.",
        fix="Let the DaemonSet tolerate the nodes' taints, or select these nodes.",
        aspect=Aspect.PODS,
        parts=("workloads", "pods", "nodes", "volume_claims", "volumes"),
        needs=(Need.STATE,),
    ),
    Check(
        code="HLT029",
        title="Volumes cannot be attached, or stay attached to nodes that are gone",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="A volume is attached to one node at a time: its pod does not start on another.",
        fix="See that the instance is terminated, then delete the VolumeAttachment.",
        aspect=Aspect.EVENTS,
        parts=("volume_attachments", "nodes", "volumes"),
        otherwise=((Severity.REQUIRED, "a pod waits for the volume"),),
    ),
    Check(
        code="HLT005",
        title="An add-on is short of pods, or its rollout is stuck",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="It runs with less capacity than it was given, or its new version does not come up.",
        fix="`kubectl rollout status` and `kubectl get events` say what holds it up.",
        aspect=Aspect.ROLLOUT,
        parts=("workloads",),
        needs=(Need.STATE,),
        otherwise=(
            (Severity.REQUIRED, "no pod is available, or the rollout is stuck"),
            (Severity.INFO, "it was created less than a minute ago"),
        ),
    ),
    Check(
        code="HLT023",
        title="A Job of an add-on failed",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="What it was to set up (CRDs, certificates, a migration) is not done.",
        fix="Read its log, then run it again the way it was installed.",
        aspect=Aspect.ROLLOUT,
        parts=("workloads",),
        needs=(Need.STATE,),
    ),
    Check(
        code="HLT012",
        title="A CA bundle expires soon or has expired",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="From then on the API server rejects the backend's certificate, and its calls fail.",
        fix="Renew the CA: restart what injects it (cert-manager's cainjector, or the add-on itself).",
        aspect=Aspect.ADMISSION,
        parts=(
            "webhook_configurations",
            "api_services",
            "crds",
        ),
        otherwise=(
            (Severity.REQUIRED, "it has expired"),
            (Severity.INFO, "it expires in more than 7 days"),
        ),
    ),
    Check(
        code="HLT008",
        title="A Service has no ready endpoints",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="Whoever calls it gets no answer.",
        fix="Correct its selector or ports, or bring its pods back.",
        aspect=Aspect.ENDPOINTS,
        parts=(
            "services",
            "endpoint_slices",
        ),
        otherwise=((Severity.REQUIRED, "every cluster needs it, or the API server depends on it"),),
    ),
    Check(
        code="HLT009",
        title="A webhook has no ready backend",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="With failurePolicy Fail, every request that it matches is refused; with Ignore, none of them is checked.",
        fix="Bring its pods back.",
        aspect=Aspect.ADMISSION,
        parts=(
            "webhook_configurations",
            "services",
            "endpoint_slices",
        ),
        otherwise=((Severity.RECOMMENDED, "its failurePolicy is Ignore"),),
    ),
    Check(
        code="INV004",
        title="A webhook's Service does not exist",
        severity=Severity.REQUIRED,
        capability=Capability.INVENTORY,
        why="With failurePolicy Fail, every request that it matches is refused; with Ignore, none of them is checked.",
        fix="Reinstall the add-on that served it, or delete the webhook configuration.",
        aspect=Aspect.ADMISSION,
        parts=(
            "webhook_configurations",
            "services",
        ),
        otherwise=((Severity.RECOMMENDED, "its failurePolicy is Ignore"),),
    ),
    Check(
        code="HLT026",
        title="A CRD's objects cannot be converted",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="They can be neither read nor written in another version than the stored one, nor can namespaces that "
        "hold some be deleted; controllers that list them stop.",
        fix="Let the CRD call the Service of the add-on that defines it, and bring its pods back.",
        aspect=Aspect.APIS,
        parts=("crds", "services", "endpoint_slices"),
    ),
    Check(
        code="HLT010",
        title="An APIService is not available",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="Its API does not answer, and namespaces cannot be deleted while discovery fails.",
        fix="Bring the pods behind its Service back.",
        aspect=Aspect.APIS,
        parts=("api_services",),
    ),
    Check(
        code="INV005",
        title="An APIService's Service does not exist",
        severity=Severity.REQUIRED,
        capability=Capability.INVENTORY,
        why="Its API does not answer, and namespaces cannot be deleted while discovery fails.",
        fix="Reinstall the add-on that served it, or delete the APIService.",
        aspect=Aspect.APIS,
        parts=(
            "api_services",
            "services",
        ),
    ),
    Check(
        code="HLT011",
        title="A CRD is not established",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="Its custom resources can be neither read nor written.",
        fix="`kubectl describe crd` says which name or schema was rejected.",
        aspect=Aspect.APIS,
        parts=("crds",),
    ),
    Check(
        code="EKS005",
        title="EKS reports a problem with an add-on",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="EKS cannot bring the add-on to the state that was requested, and it does not roll back a failed update.",
        fix="Fix what the issue names, then update the add-on again.",
        aspect=Aspect.EKS,
        parts=("eks:addons",),
    ),
    Check(
        code="EKS010",
        title="A subnet of the cluster has hardly any free address",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="New pods and nodes there get none, and EKS needs up to five to update the control plane.",
        fix="Add a larger subnet, or use prefix delegation or fewer warm addresses.",
        parts=("eks", "ec2:subnets"),
        otherwise=((Severity.REQUIRED, "it has none"),),
    ),
    Check(
        code="EKS011",
        title="Nodes take more pods than their instance type has addresses for",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="The scheduler fills them up, and the last pods stay in ContainerCreating: no address is left.",
        fix="Use prefix delegation (ENABLE_PREFIX_DELEGATION), or give the nodes the number of pods of their type.",
        parts=("eks", "ec2:instance_types", "nodes", "workloads"),
    ),
    Check(
        code="EKS008",
        title="AWS reports a problem with the cluster, a node group, a Fargate profile or a capability",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="Nodes are not replaced or do not join, or what AWS runs for the cluster does not work.",
        fix="Put right what the issue names; EKS tries again by itself.",
        parts=("eks", "eks:node_groups", "eks:fargate_profiles", "eks:capabilities"),
    ),
    Check(
        code="EKS009",
        title="An update of the cluster or of a node group failed",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="It is not as it was asked to be, and EKS does not try again.",
        fix="Put right what the error names, then begin the update again.",
        parts=("eks", "eks:updates"),
    ),
    Check(
        code="INV002",
        title="An add-on is installed twice",
        severity=Severity.RECOMMENDED,
        capability=Capability.INVENTORY,
        why="Both copies answer the same requests, or claim the same cluster-wide objects.",
        fix="Keep one copy; uninstall the other the way it was installed.",
        parts=("workloads",),
    ),
    Check(
        code="INV001",
        title="Two owners fight over an add-on",
        severity=Severity.REQUIRED,
        capability=Capability.INVENTORY,
        why="Each owner reverts what the other changes; the running version is unpredictable.",
        fix="Hand ownership to one of them: remove the add-on from the other without deleting its objects.",
        parts=(
            "workloads",
            "helm_releases",
            "eks:addons",
        ),
    ),
    Check(
        code="INV009",
        title="An add-on is in the files more than once, with different content",
        severity=Severity.RECOMMENDED,
        capability=Capability.INVENTORY,
        why="One object has one content in a cluster: this looks like several environments, judged as one.",
        fix="Give the files of one environment at a time.",
    ),
    Check(
        code="INV007",
        title="A Helm release of an add-on failed or hangs",
        severity=Severity.RECOMMENDED,
        capability=Capability.INVENTORY,
        why="What runs is not what was asked for, or half of it; while a release hangs, Helm refuses every change.",
        fix="`helm history` says what went wrong; then roll it back or upgrade it again.",
        parts=("helm_releases",),
        otherwise=((Severity.REQUIRED, "it hangs, or no revision of it was ever deployed"),),
    ),
    Check(
        code="INV008",
        title="Argo CD or Flux reports that it cannot apply an add-on",
        severity=Severity.RECOMMENDED,
        capability=Capability.INVENTORY,
        why="What is in Git is not what runs, and changes to it do not arrive.",
        fix="Put right what the installer names, in Git.",
        parts=("applications", "flux_helm_releases", "flux_kustomizations"),
        otherwise=((Severity.REQUIRED, "nothing of the add-on runs"),),
    ),
    Check(
        code="INV010",
        title="What is declared is not what runs",
        severity=Severity.RECOMMENDED,
        capability=Capability.INVENTORY,
        why="A change did not arrive, or was made by hand: the next synchronisation may replace what runs.",
        fix="Find out why it was not applied, or declare what runs.",
        parts=("workloads", "applications", "flux_helm_releases"),
    ),
    Check(
        code="DEP001",
        title="A webhook intercepts its own pods (deadlock risk)",
        severity=Severity.REQUIRED,
        capability=Capability.DEPENDENCIES,
        why="Once its last pod is gone, no new one is admitted: the add-on cannot start again by itself.",
        fix="Exclude its own namespace in the webhook's namespaceSelector.",
        parts=(
            "webhook_configurations",
            "workloads",
            "services",
        ),
    ),
    Check(
        code="HLT030",
        title="Objects hang in deletion",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="They are not gone before their finalizers are removed, nor is the namespace that holds them.",
        fix="Bring back what removes the finalizer; removing it by hand leaves behind what it was to clean up.",
        aspect=Aspect.CUSTOM_RESOURCES,
        parts=("namespaces", "crds"),
    ),
    Check(
        code="HLT031",
        title="Several defaults where there may be one",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="Which one is taken is not what was meant, or requests without a class are refused.",
        fix="Unset all but one.",
        aspect=Aspect.RESILIENCE,
        parts=("storage_classes", "ingress_classes", "volume_snapshot_classes"),
    ),
    Check(
        code="CMP004",
        title="Two add-ons conflict",
        severity=Severity.RECOMMENDED,
        capability=Capability.COMPATIBILITY,
        why="They do the same work, or claim the same thing.",
        fix="Keep one of them, or configure them so that they do not overlap.",
        parts=(
            "workloads",
            "config_maps",
        ),
    ),
    Check(
        code="CMP003",
        title="A required add-on is not installed",
        severity=Severity.REQUIRED,
        capability=Capability.COMPATIBILITY,
        why="The add-on does not work without it.",
        fix="Install it.",
        parts=("workloads",),
        needs=(Need.WHOLE_CLUSTER,),
    ),
    Check(
        code="API001",
        title="An API version that Kubernetes has removed is still in use",
        severity=Severity.REQUIRED,
        capability=Capability.COMPATIBILITY,
        why="The next apply, upgrade or rollback of the object fails.",
        fix="Use the API version that replaced it.",
        parts=(
            "workloads",
            "helm_releases",
        ),
        needs=(Need.KUBERNETES,),
    ),
    Check(
        code="EKS001",
        title="AWS does not offer this add-on version for the running Kubernetes",
        severity=Severity.REQUIRED,
        capability=Capability.COMPATIBILITY,
        why="AWS neither tests nor supports the combination, and refuses to install it again.",
        fix="Update the add-on to a version that AWS lists for this Kubernetes.",
        parts=("eks:addons",),
        needs=(Need.KUBERNETES,),
    ),
    Check(
        code="CMP001",
        title="An add-on's version does not support the running Kubernetes",
        severity=Severity.RECOMMENDED,
        capability=Capability.COMPATIBILITY,
        why="Unsupported upstream; it may call APIs that were removed.",
        fix="Update it to a version that supports this Kubernetes.",
        parts=("workloads",),
        needs=(Need.KUBERNETES,),
    ),
    Check(
        code="SKW001",
        title="Version skew policy violated",
        severity=Severity.REQUIRED,
        capability=Capability.COMPATIBILITY,
        why="Kubernetes does not support a component this far from its API server; it may fail at any update.",
        fix="Update it to a version within the policy.",
        parts=(
            "nodes",
            "workloads",
        ),
        needs=(Need.KUBERNETES,),
    ),
    Check(
        code="HLT016",
        title="A leader stopped renewing its lease",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="No replica leads: the controller does nothing.",
        fix="Restart its pods if its leader is stuck.",
        aspect=Aspect.LEADERSHIP,
        parts=("leases",),
    ),
    Check(
        code="HLT017",
        title="Warning events report a fault of an add-on",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="Something fails that no object's status shows.",
        fix="`kubectl describe` the object that the event names.",
        aspect=Aspect.EVENTS,
        parts=("events",),
        otherwise=((Severity.REQUIRED, "others' objects still wait for what fails"),),
    ),
    Check(
        code="HLT020",
        title="A functional probe failed",
        severity=Severity.REQUIRED,
        capability=Capability.HEALTH,
        why="The add-on was asked to do its work, and failed.",
        fix="See what the probe reports; the logs of its pods say why.",
        aspect=Aspect.PROBE,
        needs=(Need.PROBES,),
    ),
    Check(
        code="CRD001",
        title="Objects are stored in an old version of a CRD",
        severity=Severity.RECOMMENDED,
        capability=Capability.COMPATIBILITY,
        why="An update that drops this version is refused as long as storedVersions lists it.",
        fix="Rewrite every object once, then remove the version from storedVersions.",
        parts=("crds",),
        otherwise=((Severity.REQUIRED, "the CRD no longer serves that version"),),
    ),
    Check(
        code="API002",
        title="An API version is removed in the target Kubernetes version",
        severity=Severity.REQUIRED,
        capability=Capability.COMPATIBILITY,
        why="After the upgrade, apply, helm upgrade and rollback of the object fail.",
        fix="Use the API version that replaces it before the upgrade.",
        parts=(
            "workloads",
            "helm_releases",
        ),
        needs=(Need.KUBERNETES,),
        otherwise=(
            (
                Severity.RECOMMENDED,
                "it is removed only after the next minor, or neither the running nor a target Kubernetes is known",
            ),
        ),
    ),
    Check(
        code="EKS004",
        title="The cluster's Kubernetes is no longer supported by EKS",
        severity=Severity.REQUIRED,
        capability=Capability.COMPATIBILITY,
        why="AWS upgrades such control planes without notice; add-ons and nodes are left behind.",
        fix="Upgrade now, one minor at a time, together with the add-ons.",
        needs=(Need.KUBERNETES,),
    ),
    Check(
        code="EKS007",
        title="EKS reports an insight",
        severity=Severity.RECOMMENDED,
        capability=Capability.COMPATIBILITY,
        why="EKS checks upgrade readiness and configuration on its own, once a day.",
        fix="See `aws eks describe-insight`.",
        parts=("eks:insights",),
        otherwise=((Severity.REQUIRED, "EKS calls it an error"),),
    ),
    Check(
        code="HLT007",
        title="An add-on's containers restart often or ran out of memory",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="Each restart drops what was in progress.",
        fix="Read the log of the run before; raise the memory limit if the container was killed for memory.",
        aspect=Aspect.PODS,
        parts=(
            "workloads",
            "pods",
        ),
        needs=(Need.STATE,),
    ),
    Check(
        code="HLT018",
        title="Custom resources of an add-on are degraded",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="The add-on cannot do what they ask for.",
        fix="`kubectl describe` says what its controller reports.",
        aspect=Aspect.CUSTOM_RESOURCES,
        parts=("crds", "custom_resources", "others"),
        needs=(Need.STATE,),
    ),
    Check(
        code="HLT032",
        title="An object of an add-on is degraded",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="Its autoscaler does not scale, its claim has lost its volume, or its scheduled runs fail.",
        fix="`kubectl describe` says what fails.",
        aspect=Aspect.RESILIENCE,
        parts=("autoscalers", "volume_claims", "workloads"),
        needs=(Need.STATE,),
    ),
    Check(
        code="HLT013",
        title="A PodDisruptionBudget allows no eviction",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="Nodes that run its pods cannot be drained, so node updates hang.",
        fix="Allow one pod to be evicted, or run one more.",
        aspect=Aspect.RESILIENCE,
        parts=("disruption_budgets",),
        needs=(Need.STATE,),
    ),
    Check(
        code="HLT014",
        title="A single pod serves the whole cluster",
        severity=Severity.RECOMMENDED,
        capability=Capability.HEALTH,
        why="While it restarts or moves, nothing answers.",
        fix="Run at least two replicas.",
        aspect=Aspect.RESILIENCE,
        parts=("workloads",),
    ),
    Check(
        code="EKS002",
        title="AWS does not offer this add-on version for the target Kubernetes version",
        severity=Severity.RECOMMENDED,
        capability=Capability.COMPATIBILITY,
        why="The add-on has to be updated before or right after the cluster's upgrade.",
        fix="First update the add-on to a version that AWS lists for both.",
        parts=("eks:addons",),
        needs=(Need.KUBERNETES,),
    ),
    Check(
        code="CMP002",
        title="An add-on's version does not support the target Kubernetes version",
        severity=Severity.RECOMMENDED,
        capability=Capability.COMPATIBILITY,
        why="It has to be updated before or right after the cluster's upgrade.",
        fix="First update it to a version that supports both.",
        parts=("workloads",),
        needs=(Need.KUBERNETES,),
    ),
    Check(
        code="SKW002",
        title="The upgrade would violate the version skew policy",
        severity=Severity.RECOMMENDED,
        capability=Capability.COMPATIBILITY,
        why="EKS refuses the upgrade, or the component fails after it.",
        fix="Update the component before the control plane.",
        parts=(
            "nodes",
            "workloads",
        ),
        needs=(Need.KUBERNETES,),
    ),
    Check(
        code="CRD003",
        title="Custom resources are in a version that their add-on does not serve",
        severity=Severity.REQUIRED,
        capability=Capability.COMPATIBILITY,
        why="The API server refuses them: whatever applies these files fails.",
        fix="Write them in a version that is served; the add-on's upgrade guide says what changes.",
    ),
    Check(
        code="CRD002",
        title="Custom resources use a version that their add-on drops",
        severity=Severity.RECOMMENDED,
        capability=Capability.COMPATIBILITY,
        why="After the add-on's update they can no longer be applied.",
        fix="Move them to the newer version before the update.",
        parts=("crds",),
    ),
    Check(
        code="EKS003",
        title="The cluster's Kubernetes is in extended support",
        severity=Severity.RECOMMENDED,
        capability=Capability.COMPATIBILITY,
        why="AWS bills the control plane at the extended rate, and upgrades it on its own when extended support ends.",
        fix="Plan the upgrade to a minor in standard support.",
        needs=(Need.KUBERNETES,),
        otherwise=((Severity.REQUIRED, "extended support ends within 60 days"),),
    ),
    Check(
        code="EOL001",
        title="An add-on is retired: its maintainers have given it up",
        severity=Severity.RECOMMENDED,
        capability=Capability.COMPATIBILITY,
        why="It works for now, but no later Kubernetes is tested with it, and a vulnerability found in it stays open.",
        fix="Migrate to a successor; `addonctl lifecycle` has the steps.",
        parts=("workloads",),
        otherwise=((Severity.INFO, "its maintenance has not ended yet"),),
    ),
    Check(
        code="EOL002",
        title="An add-on's release gets no more fixes",
        severity=Severity.RECOMMENDED,
        capability=Capability.COMPATIBILITY,
        why="A vulnerability found in it is fixed in newer releases only.",
        fix="Update it to a release that is maintained.",
        parts=("workloads",),
        otherwise=(
            (
                Severity.INFO,
                "it ended at most 60 days ago or ends within 60 days, AWS still offers it for this Kubernetes, or the"
                " catalog knows of no newer release that is maintained",
            ),
        ),
    ),
    Check(
        code="WVR001",
        title="A waiver has expired",
        severity=Severity.RECOMMENDED,
        capability=Capability.WAIVERS,
        why="What was accepted for a time counts again.",
        fix="Fix what it waived, or renew it with a reason.",
    ),
    Check(
        code="API003",
        title="A deprecated API version is still in use",
        severity=Severity.INFO,
        capability=Capability.COMPATIBILITY,
        why="It works for now; a later Kubernetes removes it.",
        fix="Use the API version that replaces it.",
        parts=(
            "workloads",
            "helm_releases",
        ),
        needs=(Need.KUBERNETES,),
    ),
    Check(
        code="API004",
        title="A webhook matches only API versions that no longer exist",
        severity=Severity.RECOMMENDED,
        capability=Capability.COMPATIBILITY,
        why="It is no longer called for what it was meant to check.",
        fix="Name the newer API versions in its rules.",
        parts=("webhook_configurations",),
        needs=(Need.KUBERNETES,),
    ),
    Check(
        code="EKS006",
        title="Standard support of the cluster's Kubernetes ends soon",
        severity=Severity.INFO,
        capability=Capability.COMPATIBILITY,
        why="From that day on AWS bills the extended rate, or upgrades the cluster if its upgrade policy is STANDARD.",
        fix="Plan the upgrade before that day.",
        needs=(Need.KUBERNETES,),
        otherwise=((Severity.REQUIRED, "the cluster's upgrade policy is STANDARD: AWS upgrades it on that day"),),
    ),
    Check(
        code="HLT015",
        title="All replicas may run on one node",
        severity=Severity.INFO,
        capability=Capability.HEALTH,
        why="Losing one node takes all of them down.",
        fix="Spread them over nodes and zones.",
        aspect=Aspect.RESILIENCE,
        parts=("workloads",),
    ),
    Check(
        code="HLT022",
        title="A PodDisruptionBudget matches no pods",
        severity=Severity.INFO,
        capability=Capability.HEALTH,
        why="What it was meant to protect can be evicted all at once.",
        fix="Correct its selector, or delete it.",
        aspect=Aspect.RESILIENCE,
        parts=("disruption_budgets",),
        otherwise=((Severity.RECOMMENDED, "a workload of its name goes unprotected"),),
    ),
    Check(
        code="INV003",
        title="CRDs without their controller",
        severity=Severity.INFO,
        capability=Capability.INVENTORY,
        why="Nothing acts on their custom resources; they are usually left over from an uninstall.",
        fix="Delete the CRDs once their custom resources are no longer needed; deleting them deletes those as well.",
        parts=(
            "workloads",
            "crds",
        ),
    ),
    Check(
        code="DEP002",
        title="Circular dependency between add-ons",
        severity=Severity.INFO,
        capability=Capability.DEPENDENCIES,
        why="None of them can be updated or started before the others; a full restart may hang.",
        fix="Plan restarts accordingly; loosen the weakest of these dependencies.",
        parts=("workloads",),
    ),
    # Of a plan, before it starts: REQUIRED ones refuse it.
    Check(
        code="PRE001",
        title="Another change of the add-on is under way",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="Its owner makes one change at a time, and refuses or garbles a second one.",
        fix="Wait until it has ended, then plan anew.",
        acceptable=False,
    ),
    Check(
        code="PRE002",
        title="The configuration is not valid for the version to come",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="EKS rejects the update.",
        fix="Correct the configuration for the new version's schema, then plan anew.",
        acceptable=False,
    ),
    Check(
        code="PRE003",
        title="Objects may be stored in a version that the update drops",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="The API server rejects the add-on's new CRD as long as storedVersions names the version.",
        fix="Write every object in a version that stays, then take the old one out of storedVersions.",
        parts=("crds",),
        acceptable=False,
    ),
    Check(
        code="PRE004",
        title="A version on the way does not support the Kubernetes that runs then",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="The add-on may fail at once, or at something that it seldom does.",
        fix="Choose a version that supports it.",
        otherwise=(
            (Severity.RECOMMENDED, "only from the control plane's upgrade until the step"),
            (Severity.INFO, "nobody says whether it does"),
        ),
    ),
    Check(
        code="PRE005",
        title="A version on the way does not suit the cluster's nodes or its platform",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="EKS refuses it, or its pods fail on those nodes.",
        fix="Bring nodes or platform to what it needs first, or choose another version.",
        parts=("nodes",),
    ),
    Check(
        code="PRE006",
        title="The add-on is unhealthy before its update",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="Whether the update harmed it could not be told, and its checkpoint would hold what is broken.",
        fix="Fix what the findings name first; if the update is the fix, accept the risk.",
        parts=(
            "workloads",
            "pods",
        ),
    ),
    Check(
        code="PRE007",
        title="The cluster itself is not at rest",
        severity=Severity.RECOMMENDED,
        capability=Capability.PREFLIGHT,
        why="Pods on nodes that are not ready do not take up the new version, and what fails may have another cause.",
        fix="Wait for the control plane and the nodes, or replace nodes that do not come back.",
        parts=("nodes",),
        otherwise=((Severity.REQUIRED, "a DaemonSet is to be rolled over nodes that are not ready"),),
    ),
    Check(
        code="PRE008",
        title="A webhook that does not answer would reject the new pods",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="The new pods are not created until it answers, nor the old ones in a rollback.",
        fix="Fix the webhook first.",
        parts=(
            "webhook_configurations",
            "endpoint_slices",
        ),
    ),
    Check(
        code="PRE009",
        title="No node has room for one pod more",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="A new pod starts before an old one ends; without room for it the rollout stands still.",
        fix="Make room: add a node, or lower requests.",
        parts=(
            "nodes",
            "pods",
        ),
        otherwise=(
            (Severity.RECOMMENDED, "nodes are added as they are needed, or its volume may be held by the old pod"),
        ),
    ),
    Check(
        code="PRE010",
        title="The step cannot be undone by an update back",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="If it fails, a person must repair the add-on forwards.",
        fix="Choose a version with a way back, or rehearse the update elsewhere and have a backup.",
        otherwise=((Severity.RECOMMENDED, "it can, with more to do than to update it back"),),
    ),
    Check(
        code="PRE011",
        title="Nobody says whether an add-on supports the target Kubernetes",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="It may fail after the upgrade of the control plane.",
        fix="Look it up in its release notes, and update it first where needed.",
    ),
    Check(
        code="PRE012",
        title="The step skips a version that it should stop at",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="Migrations that run in the versions between are left out.",
        fix="Update by way of the versions that it skips, if a source other than AWS still has them.",
    ),
    Check(
        code="PRE013",
        title="The step meets a known issue",
        severity=Severity.RECOMMENDED,
        capability=Capability.PREFLIGHT,
        why="It happened to others who made the same step.",
        fix="Read its source, and prepare what it names.",
        otherwise=(
            (Severity.REQUIRED, "the version is known to be bad"),
            (Severity.INFO, "it only changes what is measured or how it is set"),
        ),
    ),
    Check(
        code="PRE014",
        title="The configuration is not valid for the version to go back to",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="EKS would reject the update back.",
        fix="Take out what the old version does not know, or accept that the way back needs another configuration.",
    ),
    Check(
        code="PRE015",
        title="A webhook of the add-on could lock out its own repair",
        severity=Severity.RECOMMENDED,
        capability=Capability.PREFLIGHT,
        why="If the new version answers wrongly, the pods of a rollback are rejected as well.",
        fix="Exclude its own namespace and kube-system in its namespaceSelector.",
        parts=("webhook_configurations",),
        otherwise=((Severity.REQUIRED, "nothing answers in its place while its pods are replaced"),),
    ),
    Check(
        code="PRE016",
        title="The version to come needs IAM permissions or a configuration that it does not have",
        severity=Severity.RECOMMENDED,
        capability=Capability.PREFLIGHT,
        why="Its pods run, and fail at what they are not allowed to do.",
        fix="Give it a role or Pod Identity first.",
        otherwise=((Severity.REQUIRED, "EKS rejects it without a configuration"),),
    ),
    Check(
        code="PRE017",
        title="A PodDisruptionBudget forbids replacing its pods",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="Its pods go one by one before new ones come: it would be violated, or the update waits without end.",
        fix="Loosen the budget for the update, or add a replica.",
        parts=("disruption_budgets",),
    ),
    Check(
        code="PRE018",
        title="Nothing serves while its pods are replaced",
        severity=Severity.INFO,
        capability=Capability.PREFLIGHT,
        why="Its old pods end before the new ones are ready.",
        fix="Let it surge (RollingUpdate, or two replicas), or update it when a pause harms nobody.",
        parts=("workloads",),
        otherwise=((Severity.RECOMMENDED, "the API server or the whole cluster calls it"),),
    ),
    Check(
        code="PRE019",
        title="The gate cannot see whether it serves",
        severity=Severity.RECOMMENDED,
        capability=Capability.PREFLIGHT,
        why="Without a readiness probe, pods count as ready as soon as they start.",
        fix="Add a readiness probe.",
        parts=("workloads",),
        otherwise=((Severity.INFO, "other signals of it are watched as well, or nobody calls it"),),
    ),
    Check(
        code="PRE020",
        title="Fields that others set may clash with the update",
        severity=Severity.RECOMMENDED,
        capability=Capability.PREFLIGHT,
        why="What others set stays as it is under a new version that expects otherwise, or is lost.",
        fix="Move these settings into its configuration or values, or take them back.",
    ),
    Check(
        code="PRE021",
        title="An add-on that it needs is unhealthy",
        severity=Severity.RECOMMENDED,
        capability=Capability.PREFLIGHT,
        why="The update may fail for a reason that is not its own.",
        fix="Fix that add-on first.",
        parts=(
            "workloads",
            "pods",
        ),
    ),
    Check(
        code="PRE022",
        title="Custom resources are written in a version that the update drops",
        severity=Severity.RECOMMENDED,
        capability=Capability.PREFLIGHT,
        why="Afterwards they can no longer be applied as they are written.",
        fix="Move them to a version that stays, in manifests, charts and Git alike.",
        parts=("crds",),
    ),
    Check(
        code="PRE023",
        title="Not everything could be checked",
        severity=Severity.RECOMMENDED,
        capability=Capability.PREFLIGHT,
        why="What was not read may hide a risk: silence about it means nothing. An update of which an SLI gives no "
        "count before the change is refused unless this risk is accepted.",
        fix="Give the permissions that are missing, or plan against the live cluster.",
    ),
    Check(
        code="PRE024",
        title="Changes may not begin now",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="The settings name maintenance windows or a freeze, so that somebody is there, or nothing is at stake.",
        fix="Wait for the next window.",
    ),
    Check(
        code="PRE025",
        title="Another add-on cannot run without it",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="It is to be deleted, and what needs it fails then, or soon.",
        fix="Delete what needs it first, or give it another one.",
    ),
    Check(
        code="PRE026",
        title="A right that the change takes is missing",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="Carried out by these credentials, it would end where the API server forbids it, perhaps on its way back.",
        fix="Grant it: `addonctl rbac --for update | kubectl apply -f -`; beyond that, what manifests hold.",
    ),
    Check(
        code="PRE027",
        title="Its version is to be changed in Git, not in the cluster",
        severity=Severity.REQUIRED,
        capability=Capability.PREFLIGHT,
        why="A GitOps controller takes it from what moves by itself, or from files: what is set in the cluster is "
        "undone, or says nothing.",
        fix="Commit it there; `addonctl plan ADDON --to VERSION --git DIR` does it where an object names a version.",
        acceptable=False,
    ),
)

CHECKS: Mapping[str, Check] = MappingProxyType({check.code: check for check in _TABLE})
_ORDER = {code: number for number, code in enumerate(CHECKS)}

_Function = TypeVar("_Function", bound=Callable[..., Any])
MAKERS: dict[str, Callable[..., Any]] = {}
"""Code → the function that makes its findings, filled by `makes` where the function is defined."""


def makes(*codes: str) -> Callable[[_Function], _Function]:
    """Marks the function that makes findings of these codes. Each code has exactly one such function."""

    def register(function: _Function) -> _Function:
        for code in codes:
            assert code in CHECKS, f"{code} is not in the registry"
            assert MAKERS.get(code, function).__qualname__ == function.__qualname__, f"{code} has two makers"
            MAKERS[code] = function
        return function

    return register


def finding(
    code: str,
    subject: Subject,
    *evidence: Evidence,
    fix: Iterable[Action] = (),
    severity: Severity | None = None,
    cause: str | None = None,
) -> Finding:
    """A finding by its code; `fix` and `severity` override the registry's."""
    check = CHECKS[code]
    severity = severity or check.severity
    assert severity in check.severities, f"{code} is never {severity}: the registry must say when"
    return Finding(code=code, severity=severity, subject=subject, evidence=evidence, fix=tuple(fix), cause=cause)


def by_urgency(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The most severe first, then in the registry's order; each cause is followed by its effects.

    Equal findings are merged. A cause is as urgent as its most severe effect.
    """
    unique = {(item.id, item.severity, item.evidence): item for item in found}
    ids = {item.id for item in unique.values()}
    effects: dict[str | None, list[Finding]] = {}
    for item in sorted(unique.values(), key=_urgency):
        effects.setdefault(item.cause if item.cause in ids and item.cause != item.id else None, []).append(item)
    trees = [list(_with_effects(root, effects, frozenset())) for root in effects.get(None, ())]
    listed = [item for tree in sorted(trees, key=lambda tree: min(map(_urgency, tree))) for item in tree]
    assert len(listed) == len(unique), "findings name each other as their cause"
    return tuple(listed)


def _with_effects(
    cause: Finding, effects: Mapping[str | None, list[Finding]], above: frozenset[str]
) -> Iterator[Finding]:
    yield cause
    if cause.id not in above:
        for effect in effects.get(cause.id, ()):
            yield from _with_effects(effect, effects, above | {cause.id})


def _urgency(found: Finding) -> tuple[int, int, str]:
    """The sort key: the most severe first, then in the registry's order."""
    return -found.severity.rank, _ORDER[found.code], str(found.subject)


def only_these(found: Iterable[Finding], wanted: Iterable[str]) -> tuple[Finding, ...]:
    """Findings that match any of `wanted`: a severity, a code or pattern of codes, or an add-on or object by name."""
    words = tuple(wanted)
    return tuple(item for item in found if any(_wanted(item, word) for word in words))


def _wanted(found: Finding, word: str) -> bool:
    if is_about_codes(word):
        return word.lower() == found.severity.value or fnmatchcase(found.code, _pattern(word))
    return any(fnmatchcase(name, word) for name in names_of(found.subject))


def is_about_codes(word: str) -> bool:
    """Whether a word names severities or codes (`API`, `API*`, `CRD001`) rather than add-ons or objects."""
    return word.lower() in tuple(Severity) or any(fnmatchcase(code, _pattern(word)) for code in CHECKS)


def _pattern(word: str) -> str:
    """The pattern of codes for a word; their letters alone stand for all of them. A namespace may be called `api`."""
    letters = {code.rstrip("0123456789") for code in CHECKS}
    return f"{word}*" if word in letters else word.upper()
