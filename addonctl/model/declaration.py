"""What somebody wrote down to be installed: read from installers' objects and from files, joined to what runs later."""

from dataclasses import dataclass
from enum import StrEnum

from addonctl.model import owners
from addonctl.model.cluster import ObjectRef
from addonctl.model.intake import Place
from addonctl.model.owners import Owner


class DeclaredBy(StrEnum):
    """What an add-on is declared in."""

    APPLICATION = "application"
    APPLICATION_SET = "applicationset"
    FLUX = "helmrelease"
    KUSTOMIZE = "kustomization"
    DEPENDENCY = "chart"
    EKSCTL = "eksctl"
    TERRAFORM = "terraform"
    BRIDGE = "gitops-bridge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A chart, an EKS add-on, or what is in a folder of a repository, that somebody wants to be installed.

    `name` and `home` are those of the object that says so, or `name` of the file's subject. `chart` or `eks_addon` is
    given, or only a `path`. `version` is as written: of the chart or the EKS add-on, a range, a branch, a template;
    empty if none is. `destination` names another cluster, or says which ones; empty: the one that the object is in.
    """

    by: DeclaredBy
    name: str
    home: str = ""
    chart: str = ""
    eks_addon: str = ""
    path: str = ""
    repository: str = ""
    version: str = ""
    namespace: str = ""
    release: str = ""
    destination: str = ""
    ref: ObjectRef | None = None
    place: Place | None = None

    def __str__(self) -> str:
        return f"{self.by.value} {f'{self.home}/' if self.home else ''}{self.name}"

    @property
    def what(self) -> str:
        """The name of what is to be installed."""
        return self.chart or self.eks_addon or self.path

    @property
    def owner(self) -> Owner:
        """What holds it once it is applied."""
        match self.by:
            case DeclaredBy.APPLICATION | DeclaredBy.APPLICATION_SET | DeclaredBy.BRIDGE:
                return owners.ArgoApplication(self.home, self.name)
            case DeclaredBy.FLUX:
                return owners.FluxHelmRelease(self.home, self.name)
            case DeclaredBy.KUSTOMIZE:
                return owners.Manifest("kustomize")
            case DeclaredBy.EKSCTL | DeclaredBy.TERRAFORM if self.eks_addon:
                return owners.EksAddon(self.eks_addon)
            case DeclaredBy.TERRAFORM:
                return owners.HelmRelease(self.namespace, self.release)
        return owners.Undetermined("a chart names it as a dependency, and the files do not say who installs that")
