"""The owner of an installation, where its desired state is kept: a tagged union that callers match on.

Used qualified (`owners.HelmRelease`), since the installers' own records have the same names.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Method(StrEnum):
    """How an add-on was installed, named after what holds its desired state."""

    EKS = "eks"
    HELM = "helm"
    ARGOCD = "argocd"
    FLUX = "flux"
    MANIFEST = "manifest"
    BUILT_IN = "built-in"  # EKS Auto Mode and EKS capabilities: run and managed by AWS outside the cluster
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class EksAddon:
    """An EKS add-on by the name that EKS uses, which may be a variant of the catalog's."""

    name: str
    type: str = field(default="eks-addon", init=False)

    @property
    def method(self) -> Method:
        return Method.EKS

    def __str__(self) -> str:
        return f"eks add-on {self.name}"


@dataclass(frozen=True, slots=True)
class HelmRelease:
    """A Helm release. `name` is empty if only a label says that Helm manages the object."""

    namespace: str
    name: str
    type: str = field(default="helm-release", init=False)

    @property
    def method(self) -> Method:
        return Method.HELM

    def __str__(self) -> str:
        return f"helm release {_path(self.namespace, self.name or '?')}"


@dataclass(frozen=True, slots=True)
class ArgoApplication:
    """An Argo CD Application; `namespace` is empty and `auto_sync` None if the object itself was not read."""

    namespace: str
    name: str
    auto_sync: bool | None = field(default=None, compare=False)
    type: str = field(default="argo-application", init=False)

    @property
    def method(self) -> Method:
        return Method.ARGOCD

    def __str__(self) -> str:
        return f"argocd application {_path(self.namespace, self.name)}"


@dataclass(frozen=True, slots=True)
class FluxHelmRelease:
    """A Flux HelmRelease object: it owns the installation, rather than the Helm release that it creates."""

    namespace: str
    name: str
    type: str = field(default="flux-helm-release", init=False)

    @property
    def method(self) -> Method:
        return Method.FLUX

    def __str__(self) -> str:
        return f"flux helmrelease {_path(self.namespace, self.name)}"


@dataclass(frozen=True, slots=True)
class FluxKustomization:
    """A Kustomization object of Flux."""

    namespace: str
    name: str
    type: str = field(default="flux-kustomization", init=False)

    @property
    def method(self) -> Method:
        return Method.FLUX

    def __str__(self) -> str:
        return f"flux kustomization {_path(self.namespace, self.name)}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Applied manifests: by a field manager (`kubectl`, `kops`, `k3s`), or empty for files that were not applied."""

    manager: str
    type: str = field(default="manifest", init=False)

    @property
    def method(self) -> Method:
        return Method.MANIFEST

    def __str__(self) -> str:
        return self.manager or "the files given"


@dataclass(frozen=True, slots=True)
class AwsManaged:
    """Run by AWS outside the cluster: `service` is EKS Auto Mode or an EKS capability."""

    service: str
    type: str = field(default="aws-managed", init=False)

    @property
    def method(self) -> Method:
        return Method.BUILT_IN

    def __str__(self) -> str:
        return self.service


@dataclass(frozen=True, slots=True)
class Undetermined:
    """No owner is known, and why not."""

    reason: str = ""
    type: str = field(default="undetermined", init=False)

    @property
    def method(self) -> Method:
        return Method.UNKNOWN

    def __str__(self) -> str:
        return ""


Owner = (
    EksAddon
    | HelmRelease
    | ArgoApplication
    | FluxHelmRelease
    | FluxKustomization
    | Manifest
    | AwsManaged
    | Undetermined
)


def _path(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name
