"""Updates of add-ons that went wrong in public, as what a version does in a simulated world. A new one is one entry.

What carries over is the form of each failure: what breaks, how many of the requests or instances it befalls, whether it
shows at once or long afterwards. A failure of pods that an add-on lets down (no address, no volume, a webhook that
times out) is one of the requests that clients make to the instance responsible. Weights are alike: a public case says
that something happened, not how often.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from addonctl.sim.controllers import STEADY, Behaviour

_DAY_S = 86_400.0
DEPLOYMENT, DAEMON_SET, STATEFUL_SET = KINDS = "Deployment", "DaemonSet", "StatefulSet"
_ALL = frozenset(KINDS)
_DAEMONS, _CONTROLLERS = frozenset({DAEMON_SET}), frozenset({DEPLOYMENT, STATEFUL_SET})


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """`some_nodes`: the share of nodes on which it shows. `replicas`: where their number matters; 0: any.

    `faults`: of the infrastructure, which come with it. A harmless `does` is a sound version in a bad hour.
    """

    what: str
    source: str
    does: Behaviour = STEADY
    kinds: frozenset[str] = _ALL
    some_nodes: float = 1.0
    replicas: int = 0
    faults: tuple[str, ...] = ()
    weight: float = 1.0

    def on(self, nodes: tuple[str, ...], random: Random) -> Behaviour:
        """What the version does in a cluster with these nodes."""
        if self.some_nodes >= 1:
            return self.does
        number = max(round(self.some_nodes * len(nodes)), 1)
        return replace(self.does, nodes=frozenset(random.sample(nodes, number)))

    @property
    def latent_s(self) -> float:
        """How long after the start of an instance it shows."""
        does = self.does
        broken = not (does.is_there and does.gets_ready) or does.rejects
        return 0.0 if broken else max(does.sets_in_s, (does.crashes_after_s or 0.0) * 0.8)


def _fails(share: float, after_s: float = 0.0) -> Behaviour:
    return Behaviour(wrong=share, sets_in_s=after_s)


_CRASHES = Behaviour(crashes_after_s=2.0)
_NEVER_READY = Behaviour(gets_ready=False)

INCIDENTS: Mapping[str, Incident] = {
    "VPC-CNI-01": Incident(
        what="new pods get no address where security groups for pods are in use",
        source="aws/amazon-vpc-cni-k8s#2970",
        does=_fails(1.0),
        kinds=_DAEMONS,
        some_nodes=0.5,
    ),
    "VPC-CNI-02": Incident(
        what="addresses run out on full nodes, days later",
        source="aws/amazon-vpc-cni-k8s#2980",
        does=_fails(0.3, 2 * _DAY_S),
        kinds=_DAEMONS,
    ),
    "VPC-CNI-03": Incident(
        what="fewer addresses a node than pods fit on it",
        source="aws/amazon-vpc-cni-k8s#2892",
        does=_fails(0.2),
        kinds=_DAEMONS,
        some_nodes=0.5,
    ),
    "VPC-CNI-04": Incident(
        what="panics at its start when API discovery is throttled",
        source="aws/amazon-vpc-cni-k8s#1738",
        does=_CRASHES,
        kinds=_DAEMONS,
        faults=("throttled",),
    ),
    "VPC-CNI-05": Incident(
        what="addresses leak, and are missed after hours",
        source="aws/amazon-vpc-cni-k8s#1939",
        does=_fails(0.1, _DAY_S / 4),
        kinds=_DAEMONS,
    ),
    "VPC-CNI-06": Incident(
        what="memory leaks for half a day",
        source="aws/amazon-vpc-cni-k8s#3233",
        does=Behaviour(leaks=True, crashes_after_s=_DAY_S / 2),
        kinds=_DAEMONS,
    ),
    "VPC-CNI-07": Incident(
        what="a new sidecar ends again and again, the main container runs",
        source="aws/amazon-vpc-cni-k8s#2540",
        does=_CRASHES,
        kinds=_DAEMONS,
    ),
    "VPC-CNI-08": Incident(
        what="connections of pods with one form of policy fail now and then",
        source="aws/aws-network-policy-agent#77",
        does=_fails(0.05),
        kinds=_DAEMONS,
    ),
    "VPC-CNI-09": Incident(
        what="pods are cut off in their first seconds",
        source="aws/aws-network-policy-agent#130",
        does=_fails(0.1),
        kinds=_DAEMONS,
    ),
    "VPC-CNI-10": Incident(
        what="one connection in a thousand is cut",
        source="aws/aws-network-policy-agent#204",
        does=_fails(0.001),
        kinds=_DAEMONS,
    ),
    "VPC-CNI-11": Incident(
        what="connections are reset every five minutes",
        source="aws/aws-network-policy-agent#245",
        does=Behaviour(wrong=0.5, sets_in_s=290.0, every_s=300.0, burst_s=10.0),
        kinds=_DAEMONS,
    ),
    "KPROXY-01": Incident(
        what="rules cannot be restored after a month",
        source="kubernetes/kubernetes#132516",
        does=_fails(1.0, 30 * _DAY_S),
        kinds=_DAEMONS,
    ),
    "KPROXY-02": Incident(
        what="runs and does nothing",
        source="kubernetes/kubernetes#121988",
        does=_fails(1.0),
        kinds=_DAEMONS,
        some_nodes=0.7,
    ),
    "KPROXY-03": Incident(
        what="the image is not there",
        source="eksctl-io/eksctl#6027",
        does=Behaviour(is_there=False),
        kinds=_DAEMONS,
    ),
    "KPROXY-04": Incident(
        what="may not read EndpointSlices: its endpoints grow stale",
        source="ministryofjustice/cloud-platform#3379",
        does=_fails(0.1, 30.0),
        kinds=_DAEMONS,
    ),
    "KPROXY-05": Incident(
        what="takes all of its CPU, answers late and is restarted",
        source="rancher/rke2#7818",
        does=Behaviour(late=0.3, crashes_after_s=120.0),
        kinds=_DAEMONS,
    ),
    "COREDNS-01": Incident(
        what="never ready: the probe asks for a plugin that the configuration does not have",
        source="aws/containers-roadmap#941",
        does=_NEVER_READY,
        kinds=_CONTROLLERS,
    ),
    "COREDNS-02": Incident(
        what="never ready with a configuration of one's own",
        source="aws/aws-cli#8192",
        does=_NEVER_READY,
        kinds=_CONTROLLERS,
    ),
    "COREDNS-03": Incident(
        what="ends at a directive that it no longer knows",
        source="aws/containers-roadmap#489",
        does=_CRASHES,
        kinds=_CONTROLLERS,
    ),
    "COREDNS-04": Incident(
        what="names outside the cluster are not resolved",
        source="awsdocs/amazon-eks-user-guide#368",
        does=_fails(0.4),
        kinds=_CONTROLLERS,
    ),
    "EBS-01": Incident(
        what="ends when it meets a volume that was deleted",
        source="kubernetes-sigs/aws-ebs-csi-driver#2436",
        does=Behaviour(crashes_after_s=10.0),
    ),
    "EBS-02": Incident(
        what="volumes are not attached on full nodes",
        source="kubernetes-sigs/aws-ebs-csi-driver#2251",
        does=_fails(0.1),
    ),
    "EBS-03": Incident(
        what="volumes that are moved stay where they were",
        source="kubernetes-csi/external-attacher#215",
        does=_fails(0.2, 240.0),
    ),
    "EBS-04": Incident(
        what="another add-on that it needs is missing",
        source="ManagedKube/kubernetes-ops#403",
        does=_fails(1.0),
    ),
    "EBS-05": Incident(
        what="its ServiceAccount has another name: nothing is authorised",
        source="awslabs/cdk-eks-blueprints#565",
        does=_fails(1.0),
    ),
    "EBS-06": Incident(
        what="attaches nothing under one operating system",
        source="kubermatic/kubeone#2859",
        does=_fails(1.0),
        some_nodes=0.3,
    ),
    "EBS-07": Incident(
        what="has no credentials on nodes of a newer image",
        source="hashicorp/terraform-provider-aws#38516",
        does=_fails(1.0),
        some_nodes=0.5,
    ),
    "CERT-01": Incident(
        what="the conversion webhook fails: nothing can be listed",
        source="cert-manager/cert-manager#3430",
        does=_fails(1.0),
        kinds=_CONTROLLERS,
    ),
    "CERT-02": Incident(
        what="webhooks are given no CA",
        source="cert-manager/cert-manager#3264",
        does=_fails(1.0),
        kinds=_CONTROLLERS,
    ),
    "CERT-03": Incident(
        what="the CA is not renewed, months later",
        source="cert-manager/cert-manager#5519",
        does=_fails(1.0, 90 * _DAY_S),
        kinds=_CONTROLLERS,
    ),
    "GK-01": Incident(
        what="the node of the only instance is lost",
        source="open-policy-agent/gatekeeper#291",
        kinds=_CONTROLLERS,
        replicas=1,
        faults=("node lost",),
    ),
    "GK-02": Incident(
        what="the webhook answers too late",
        source="sighupio/module-policy#24",
        does=Behaviour(late=0.5),
        kinds=_CONTROLLERS,
    ),
    "GK-03": Incident(
        what="its own webhook refuses its pods",
        source="open-policy-agent/gatekeeper#2423",
        does=_NEVER_READY,
        kinds=_CONTROLLERS,
    ),
    "CIL-01": Incident(
        what="a changed default takes the network from some workloads",
        source="cilium/cilium#22311",
        does=_fails(0.3),
        kinds=_DAEMONS,
    ),
    "CIL-02": Incident(
        what="some pods lose their network",
        source="cilium/cilium#37271",
        does=_fails(0.15),
        kinds=_DAEMONS,
    ),
    "CIL-03": Incident(
        what="nodes lose their network where it is replaced",
        source="cilium/cilium#30609",
        does=Behaviour(loses_node_s=180.0),
        kinds=_DAEMONS,
    ),
    "HPA-01": Incident(
        what="answers zero where it knows nothing",
        source="kubernetes/kubernetes#104387",
        does=_fails(1.0),
        kinds=_CONTROLLERS,
    ),
    "HPA-02": Incident(
        what="an API that it needs is not served",
        source="zalando-incubator/kubernetes-on-aws#938",
        does=_fails(1.0),
        kinds=_CONTROLLERS,
    ),
    "PM-01": Incident(
        what="somebody else's change takes the network from many nodes at once",
        source="Datadog, 2023-03-08",
        faults=("zone lost",),
    ),
    "PM-02": Incident(
        what="a selector names a label that is gone: no routes",
        source="Reddit, 2023-03-14",
        does=_fails(1.0),
        kinds=_DAEMONS,
    ),
    "PM-03": Incident(
        what="a webhook with too wide a scope makes the API server time out",
        source="Jetstack, 2019",
        does=Behaviour(late=0.8),
        kinds=_CONTROLLERS,
        faults=("unavailable",),
    ),
    "PM-04": Incident(
        what="out of memory under a burst of requests",
        source="Zalando, 2019-01",
        does=Behaviour(leaks=True, crashes_after_s=90.0),
        kinds=_CONTROLLERS,
    ),
    "PM-05": Incident(
        what="two add-ons do the same work against each other",
        source="Abdennoor, public post-mortem",
        does=_fails(0.5),
    ),
    "CFG-01": Incident(
        what="the new version does not take the present configuration",
        source="aws/containers-roadmap#2482",
        does=Behaviour(rejects=True),
    ),
}
