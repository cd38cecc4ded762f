"""The lab: the real cluster with an EKS API beside it, its add-ons in the hands of those who install them in life.

CoreDNS, kube-proxy and metrics-server are EKS add-ons, created and updated over EKS's API; Gatekeeper is a Helm
release; external-secrets is what Flux leaves of a HelmRelease, without Flux: the object, and the release that its
helm-controller would have made. All run for real but external-secrets, whose pod only waits. If asked, a real Argo CD
owns external-dns (argocd.py). By hand: `make lab`; in tests: the fixtures `lab` and `argocd_lab`.
"""

import copy
import json
import re
import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from addonctl import errors as api
from addonctl.adapters import knowledge
from addonctl.adapters.api_connection import connect
from addonctl.adapters.api_objects import ApiObjects
from addonctl.errors import AddonctlError
from addonctl.model import ObjectRef
from tests.cluster import build, dozen
from tests.cluster.addons import MANIFESTS, metrics_flow
from tests.cluster.argocd import ArgoCd
from tests.cluster.authenticator import Authenticator
from tests.cluster.cluster import RUN, Cluster
from tests.eks.server import REGION, EksServer, packaged_table
from tests.eks.state import ACCOUNT, Conflict, NotReady

NAME, KUBERNETES = "lab", "1.36"
# What `aws eks update-kubeconfig` calls a context.
CONTEXT = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{NAME}"
EKS_ADDONS = {
    "kube-proxy": "v1.36.0-eksbuild.14",
    "coredns": "v1.13.2-eksbuild.17",
    "metrics-server": "v0.9.0-eksbuild.6",
}
_WORKLOADS = {
    "kube-proxy": "daemonset/kube-proxy",
    "coredns": "deployment/coredns",
    "metrics-server": "deployment/metrics-server",
}
_REPOSITORIES = {
    "kube-proxy": "eks/kube-proxy",
    "coredns": "eks/coredns",
    "metrics-server": "eks/metrics-server",
}
SECRETS, SECRETS_VERSION = "external-secrets", "2.9.0"
GATEKEEPER_IMAGE = "docker.io/openpolicyagent/gatekeeper"
_UPDATE_S = 60
_POLL_S = 0.2


def apply_as_eks(objects: ApiObjects, document: Mapping[str, Any], resolve: str) -> None:
    """What others changed is overwritten, kept (EKS then leaves those fields out), or ends the update."""
    try:
        objects.apply(document, manager="eks", force=resolve == "OVERWRITE")
    except api.Conflict as conflict:
        if resolve != "PRESERVE":
            raise
        kept = copy.deepcopy(dict(document))
        for cause in conflict.causes:
            _leave_out(kept, _FIELD.findall(cause.field))
        objects.apply(kept, manager="eks")


# .spec.template.spec.containers[name="coredns"].image: names, and elements of lists by one of their fields.
_FIELD = re.compile(r'\.([^.\[]+)|\[(\w+)="([^"]*)"\]')


def _leave_out(document: Any, path: Sequence[tuple[str, str, str]]) -> None:
    (name, key, value), *rest = path
    inner = document.get(name) if name else next((each for each in document if str(each.get(key)) == value), None)
    if inner is None:
        return
    if rest:
        _leave_out(inner, rest)
    elif name:
        del document[name]
    else:
        document.remove(inner)


@dataclass(frozen=True)
class Served:
    """What EKS serves as a version of an add-on: an image of the nodes (empty: there is none), and its objects.

    `changed` changes each of them; when all are applied, EKS says that it is still at work for `works_s`.
    """

    image: str
    changed: Callable[[dict[str, Any]], None]
    works_s: float = 0


class Lab:
    """`with Lab() as lab:` gives `lab.cluster`, `lab.eks`, and `lab.environment` for a process that works on both."""

    def __init__(self, simulated: int = 0, *, argocd: bool = False) -> None:
        self._stack, self._ended = ExitStack(), threading.Event()
        self._authenticator = Authenticator(NAME)
        self.cluster = Cluster(simulated_nodes=simulated, context=CONTEXT, authenticator=self._authenticator.url)
        self.eks = EksServer(packaged_table())
        self._with_argocd = argocd
        self.update_s = _UPDATE_S  # so long EKS waits for an update
        self.served: dict[tuple[str, str], Served] = {}  # by add-on and version; of the others, what they are built of

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._authenticator)
            stack.enter_context(self.eks)
            self._authenticator.sts = self.eks.url
            stack.enter_context(self.cluster)
            stack.callback(self._ended.set)
            self._serve_eks()
            self._install()
            if self._with_argocd:
                stack.enter_context(ArgoCd(self.cluster))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def environment(self) -> dict[str, str]:
        """What kubectl, aws and addonctl need to find the lab."""
        return {"KUBECONFIG": str(self.cluster.kubeconfig), **self.eks.environment}

    def greeting(self) -> str:
        """What somebody pastes into another shell to work on the lab."""
        exports = [f"export {name}={shlex.quote(value)}" for name, value in self.environment.items()]
        commands = [f"addonctl analyze {which}" for which in (f"--context {CONTEXT}", f"--eks {NAME}")]
        path = f'export PATH="{RUN}/bin:{build.HELM.folder}:{Path(sys.executable).parent}:$PATH"'
        return "\n".join([*exports, path, "", *commands, "addonctl health --probe"])

    # ── EKS ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _serve_eks(self) -> None:
        """EKS knows the cluster, and carries out what is asked of its add-ons."""
        config = json.loads(self.cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
        self.eks.create_cluster(
            NAME,
            KUBERNETES,
            endpoint=config["server"],
            certificateAuthority={"data": config["certificate-authority-data"]},
            upgradePolicy={"supportType": "STANDARD"},
        )
        self.eks.state.auto_finish, self.eks.state.applier = False, self._apply
        threading.Thread(target=self._carry_out, daemon=True).start()

    def _carry_out(self) -> None:
        """Finishes creations and updates one after the other, until the lab ends."""
        while not self._ended.wait(_POLL_S):
            try:
                self.eks.state.finish()
            except (OSError, RuntimeError):
                if not self._ended.is_set():  # a cluster that is being ended does not answer
                    raise

    def _apply(self, _: str, addon: str, version: str, values: Mapping[str, Any], resolve: str) -> None:
        """What EKS does for an add-on: applies its objects in its own name, and waits for them.

        A version that is not built here is applied all the same: its pods cannot pull their image, as after a mistake.
        """
        served = self.served.get((addon, version))
        built = ([served.image] if served.image else []) if served else build.upstream_images(addon, version)
        for image in built:
            self.cluster.name_image(image, image_of(addon, version))
        objects = ApiObjects(connect(None, str(self.cluster.kubeconfig)))
        try:
            for document in eks_objects(addon, version, values):
                if served:
                    served.changed(document)
                apply_as_eks(objects, document, resolve)
        except AddonctlError as error:
            raise Conflict(error.what) from error
        if served:
            self._ended.wait(served.works_s)
        try:
            self._await(_WORKLOADS[addon], objects)
        except (RuntimeError, TimeoutError) as error:
            raise NotReady("The add-on is unhealthy because it doesn't have the desired number of replicas.") from error

    def _await(self, workload: str, objects: ApiObjects) -> None:
        """Until it is rolled out. `kubectl rollout status` refuses DaemonSets whose pods somebody else replaces."""
        kind, _, name = workload.partition("/")
        if kind != "daemonset":
            return self.cluster.ready(workload, timeout_s=self.update_s)
        ref = ObjectRef(kind="DaemonSet", name=name, namespace="kube-system", group="apps")
        until = time.monotonic() + self.update_s
        while not self._ended.wait(_POLL_S):
            with suppress(AddonctlError):
                if _is_rolled_out(objects.get(ref).document):
                    return None
            if time.monotonic() > until:
                raise TimeoutError(workload)

    # ── Add-ons ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _install(self) -> None:
        client = self.eks.client("eks")
        for addon, version in EKS_ADDONS.items():
            client.create_addon(clusterName=NAME, addonName=addon, addonVersion=version)
        self._install_gatekeeper()
        self._install_as_flux()
        for addon in EKS_ADDONS:
            client.get_waiter("addon_active").wait(
                clusterName=NAME, addonName=addon, WaiterConfig={"Delay": 1, "MaxAttempts": 2 * _UPDATE_S}
            )
        metrics_flow(self.cluster)

    def _install_gatekeeper(self) -> None:
        """Gatekeeper's own chart, without its hooks: they would pull an image that holds kubectl."""
        chart = build.GATEKEEPER_CHART.folder / "gatekeeper"
        given = ("replicas=1", f"image.repository={GATEKEEPER_IMAGE}", "upgradeCRDs.enabled=false")
        values = [word for value in given for word in ("--set", value)]
        self.cluster.helm(
            "install", "gatekeeper", str(chart), "-n", "gatekeeper-system", "--create-namespace", "--no-hooks", *values
        )
        for name in ("gatekeeper-controller-manager", "gatekeeper-audit"):
            self.cluster.ready(f"deployment/{name}", "gatekeeper-system")

    def _install_as_flux(self) -> None:
        image = f"ghcr.io/external-secrets/external-secrets:v{SECRETS_VERSION}"
        self.cluster.name_image(build.WITNESS_IMAGE, image)
        kind = dozen.crd("helm.toolkit.fluxcd.io", "HelmRelease", "v2")
        self.cluster.apply(json.dumps(kind))
        self.cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/{kind['metadata']['name']}")
        dozen.install_by_helm(
            self.cluster, SECRETS, SECRETS, SECRETS_VERSION, f"v{SECRETS_VERSION}", SECRETS, _secrets_objects(image)
        )
        self.cluster.apply(json.dumps(_HELM_RELEASE))
        self.cluster.ready(f"deployment/{SECRETS}", SECRETS)


def _is_rolled_out(daemonset: Mapping[str, Any]) -> bool:
    status, wanted = daemonset.get("status") or {}, daemonset["status"].get("desiredNumberScheduled")
    by_itself = daemonset["spec"]["updateStrategy"]["type"] == "RollingUpdate"
    seen = status.get("observedGeneration") == daemonset["metadata"]["generation"]
    updated = status.get("updatedNumberScheduled", 0) if by_itself else wanted
    return seen and bool(wanted) and status.get("numberReady", 0) == updated == wanted


def image_of(addon: str, version: str) -> str:
    """The image of an EKS add-on in AWS's registry."""
    tag = version.replace("-eksbuild", "-minimal-eksbuild") if addon == "kube-proxy" else version
    return f"{dozen.ECR}/{_REPOSITORIES[addon]}:{tag}"


def eks_objects(addon: str, version: str, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What EKS applies for an add-on at a version; of the configuration, `replicaCount` and `resources`."""
    for document in yaml.safe_load_all((MANIFESTS / f"{addon}.yaml").read_text()):
        if document["kind"] in ("Deployment", "DaemonSet"):
            container = document["spec"]["template"]["spec"]["containers"][0]
            container["image"] = image_of(addon, version)
            for each, asked in values.get("resources", {}).items():
                container.setdefault("resources", {}).setdefault(each, {}).update(asked)
            if "replicaCount" in values:
                document["spec"]["replicas"] = values["replicaCount"]
        yield document


_FLUX_LABELS = {"helm.toolkit.fluxcd.io/name": SECRETS, "helm.toolkit.fluxcd.io/namespace": SECRETS}
_HELM_RELEASE = {
    "apiVersion": "helm.toolkit.fluxcd.io/v2",
    "kind": "HelmRelease",
    "metadata": {"name": SECRETS, "namespace": SECRETS},
    "spec": {
        "interval": "10m",
        "chart": {
            "spec": {
                "chart": SECRETS,
                "version": SECRETS_VERSION,
                "sourceRef": {"kind": "HelmRepository", "name": SECRETS},
            }
        },
    },
}


def _secrets_objects(image: str) -> list[dict[str, Any]]:
    """external-secrets for the eye: its CRDs, and an idle Deployment."""
    deployment = dozen.idle_deployment(SECRETS, image)
    names = [name for kind, _, name in knowledge.load().addons[SECRETS].own_objects() if kind == dozen.CRD]
    split = [name.partition(".") for name in names]
    objects = [deployment, *(dozen.crd(group, plural[:-1].capitalize(), "v1", plural) for plural, _, group in split)]
    for each in objects:
        each["metadata"]["labels"] = each["metadata"].get("labels", {}) | _FLUX_LABELS
    return objects
