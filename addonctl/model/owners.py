"""Who holds the truth of an installation: one tagged value, which planners and renderers take apart by its type.

Used qualified (`owners.HelmRelease`), since the installers' own records bear the same names.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Method(StrEnum):
    """How an add-on was installed, named after what holds the truth of it."""

    EKS = "eks"
    HELM = "helm"
    ARGOCD = "argocd"
    FLUX = "flux"
    MANIFEST = "manifest"
    BUILT_IN = "built-in"  # EKS Auto Mode and EKS capabilities: runs outside the cluster, AWS keeps it
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class EksAddon:
    """An EKS add-on by the name that EKS lists, which may be a variant of the catalogue's."""

    name: str
    type: str = field(default="eks-addon", init=False)

    @property
    def method(self) -> Method:
        return Method.EKS

    def __str__(self) -> str:
        return f"eks add-on {self.name}"


@dataclass(frozen=True, slots=True)
class HelmRelease:
    """A Helm release. `name` is empty where only a label says that Helm keeps an object."""

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
    """An Application of Argo CD; `namespace` is empty and `auto_sync` None where the object itself was not read."""

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
    """A HelmRelease object of Flux: the Helm release that it keeps is its means, not an owner."""

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
    """Whoever applied manifests: a field manager (`kubectl`, `kops`, `k3s`), or empty for files that nobody applied."""

    manager: str
    type: str = field(default="manifest", init=False)

    @property
    def method(self) -> Method:
        return Method.MANIFEST

    def __str__(self) -> str:
        return self.manager or "the files given"


@dataclass(frozen=True, slots=True)
class AwsManaged:
    """AWS runs it outside the cluster: `service` is EKS Auto Mode or an EKS capability."""

    service: str
    type: str = field(default="aws-managed", init=False)

    @property
    def method(self) -> Method:
        return Method.BUILT_IN

    def __str__(self) -> str:
        return self.service


@dataclass(frozen=True, slots=True)
class Undetermined:
    """Nobody is known to hold it, and why not."""

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
