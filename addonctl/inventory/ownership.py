"""Who says it manages an object: EKS, Helm, Argo CD, Flux or whoever applied a manifest.

Decided from labels, annotations and managedFields on the object, and from the installers' own records. Several may
claim one object; which of them holds the truth, and which of them fight, is decided here too. Called by inventory.py.
"""

from collections.abc import Iterable

from addonctl.model import Claim, HelmRelease, KubernetesObject, Method, Snapshot

# Whose word counts when several claim an object: a GitOps controller overwrites what others do, EKS overwrites Helm,
# Helm overwrites kubectl.
_PRECEDENCE = (Method.ARGOCD, Method.FLUX, Method.EKS, Method.HELM, Method.MANIFEST, Method.UNKNOWN)
_FLUX_LABELS = {"helm.toolkit.fluxcd.io": "helmrelease", "kustomize.toolkit.fluxcd.io": "kustomization"}
_KUBECTL = ("kubectl", "kubectl-client-side-apply", "kubectl-create", "kubectl-replace", "kubectl-edit")


class Ownership:
    """The installers' records of one snapshot, asked object by object."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._helm: dict[tuple[str, str, str], HelmRelease] = {}
        for release in snapshot.helm_releases:
            for item in release.objects:
                self._helm[item.kind, item.namespace or release.namespace, item.name] = release
                self._helm.setdefault((item.kind, "", item.name), release)  # cluster-scoped objects carry none
        self._applications: dict[tuple[str, str, str], str] = {}
        for app in snapshot.applications:
            for ref in app.resources:
                self._applications[ref.kind, ref.namespace, ref.name] = f"{app.namespace}/{app.name}"
        self._application_names = {app.name: f"{app.namespace}/{app.name}" for app in snapshot.applications}
        # The Helm releases that Flux keeps: there Helm is the means, not an owner.
        self._flux_releases = {
            (release.target_namespace, release.release): f"{release.namespace}/{release.name}"
            for release in snapshot.flux_helm_releases
        }
        # None: AWS could not be asked. Where it could, `eks` in managedFields of what it does not list is history.
        asked = snapshot.eks is not None and snapshot.gap("eks:addons") is None
        self._eks_addons = {addon.name for addon in snapshot.eks.addons} if asked and snapshot.eks else None

    def release_claim(self, release: HelmRelease) -> Claim:
        """Who keeps a Helm release: Flux, where a HelmRelease names it, else Helm."""
        kept_by = self._flux_releases.get((release.namespace, release.name))
        if kept_by is not None:
            return Claim(method=Method.FLUX, owner=f"flux helmrelease {kept_by}", evidence="HelmRelease names it")
        owner = f"helm release {release.namespace}/{release.name}"
        return Claim(method=Method.HELM, owner=owner, evidence="Helm's release record")

    def claims(self, thing: KubernetesObject, kind: str, eks_names: tuple[str, ...] = ()) -> tuple[Claim, ...]:
        """All claims on an object, the one that counts first. Equal owners are named once.

        `eks_names` are the EKS add-ons that install this software.
        """
        found = [*self._argocd(thing, kind), *self._flux(thing), *self._eks(thing, eks_names)]
        found += [*self._by_helm(thing, kind), *self._manifest(thing)]
        by_owner = {claim.owner: claim for claim in reversed(found)}
        return tuple(sorted(by_owner.values(), key=lambda claim: (_PRECEDENCE.index(claim.method), claim.owner)))

    def _argocd(self, thing: KubernetesObject, kind: str) -> Iterable[Claim]:
        tracking = thing.annotations.get("argocd.argoproj.io/tracking-id", "")
        if tracking:
            name = tracking.partition(":")[0].replace("_", "/", 1)
            owner = name if "/" in name else self._application_names.get(name, name)
            yield _claim(Method.ARGOCD, f"argocd application {owner}", "annotation argocd.argoproj.io/tracking-id")
        listed = self._applications.get((kind, thing.namespace, thing.name))
        if listed:
            yield _claim(Method.ARGOCD, f"argocd application {listed}", "the Application's status lists it")

    def _flux(self, thing: KubernetesObject) -> Iterable[Claim]:
        for label, word in (
            ("helm.toolkit.fluxcd.io", "helmrelease"),
            ("kustomize.toolkit.fluxcd.io", "kustomization"),
        ):
            name = thing.labels.get(f"{label}/name")
            if name:
                namespace = thing.labels.get(f"{label}/namespace", "")
                yield _claim(Method.FLUX, f"flux {word} {namespace}/{name}", f"label {label}/name")

    def _eks(self, thing: KubernetesObject, eks_names: tuple[str, ...]) -> Iterable[Claim]:
        if not any(applier.manager == "eks" for applier in thing.appliers):
            return
        if self._eks_addons is not None:
            eks_names = tuple(name for name in eks_names if name in self._eks_addons)
        if eks_names:
            yield _claim(Method.EKS, f"eks add-on {eks_names[0]}", "field manager eks")

    def _by_helm(self, thing: KubernetesObject, kind: str) -> Iterable[Claim]:
        record = self._helm.get((kind, thing.namespace, thing.name))
        if record is not None:
            yield self.release_claim(record)
        name = thing.annotations.get("meta.helm.sh/release-name", "")
        if name:
            namespace = thing.annotations.get("meta.helm.sh/release-namespace", thing.namespace)
            flux = self._flux_releases.get((namespace, name))
            if flux:
                yield _claim(Method.FLUX, f"flux helmrelease {flux}", "HelmRelease names its Helm release")
            else:
                yield _claim(Method.HELM, f"helm release {namespace}/{name}", "annotation meta.helm.sh/release-name")
        elif record is None and "Helm" in (
            thing.labels.get("app.kubernetes.io/managed-by"),
            thing.labels.get("heritage"),
        ):
            release = thing.labels.get("app.kubernetes.io/instance") or thing.labels.get("release") or "?"
            where = f"{thing.namespace}/{release}" if thing.namespace else release
            yield _claim(Method.HELM, f"helm release {where}", "label app.kubernetes.io/managed-by: Helm")

    def _manifest(self, thing: KubernetesObject) -> Iterable[Claim]:
        if "addon.kops.k8s.io/name" in thing.labels:
            yield _claim(Method.MANIFEST, "kops", "label addon.kops.k8s.io/name")
        elif "objectset.rio.cattle.io/owner-gvk" in thing.annotations:
            yield _claim(Method.MANIFEST, "k3s", "annotation objectset.rio.cattle.io/owner-gvk")
        elif any(a.manager in _KUBECTL or a.operation == "LastApplied" for a in thing.appliers):
            yield _claim(Method.MANIFEST, "kubectl", "applied with kubectl")


def _claim(method: Method, owner: str, evidence: str) -> Claim:
    return Claim(method=method, owner=owner, evidence=evidence)


def fighting(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The claims that contradict each other, none when all go together.

    kubectl's traces are history, not a fight: EKS and Helm adopt objects that were once applied by hand.
    """
    standing = [claim for claim in claims if claim.method not in (Method.MANIFEST, Method.UNKNOWN)]
    return tuple(standing) if len({claim.owner for claim in standing}) > 1 else ()
