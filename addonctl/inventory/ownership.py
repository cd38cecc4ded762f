"""Who claims to manage an object: EKS, Helm, Argo CD, Flux or whoever applied a manifest.

Decided from labels, annotations and managedFields on the object, and from the installers' own records. Several may
claim one object; which of them is its owner, and which are in conflict, is decided here too. Called by the inventory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from addonctl.model import (
    Application,
    Claim,
    HelmObject,
    HelmRelease,
    KubernetesObject,
    Method,
    ObjectRef,
    View,
    live,
    owners,
)
from addonctl.model.owners import Owner

# Whose claim wins: a GitOps controller overwrites what others do, EKS overwrites Helm, Helm overwrites kubectl.
_PRECEDENCE = (
    Method.ARGOCD,
    Method.FLUX,
    Method.EKS,
    Method.HELM,
    Method.BUILT_IN,
    Method.MANIFEST,
    Method.UNKNOWN,
)
_KUBECTL = ("kubectl", "kubectl-client-side-apply", "kubectl-create", "kubectl-replace", "kubectl-edit")
# Tools that apply manifests: their name, how the keys of their labels and annotations begin, and their field managers.
_OTHERS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("olm", ("olm.owner", "operators.coreos.com/"), ("olm", "operator-lifecycle-manager")),
    ("sveltos", ("projectsveltos.io/",), ("addon-controller",)),
    ("kapp", ("kapp.k14s.io/",), ("kapp",)),
    ("pulumi", ("pulumi.com/",), ("pulumi",)),
    ("terraform", (), ("terraform", "hashicorp", "opentofu")),
    ("fleet", ("fleet.cattle.io/",), ("fleet",)),
    ("config-sync", ("configsync.gke.io/", "configmanagement.gke.io/"), ("configsync",)),
)
_HELM_LABELS = ("app.kubernetes.io/managed-by", "heritage")
_FLUX_HELM, _FLUX_KUSTOMIZE = "helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"
# Objects written to this group are served in the groups that its kinds moved to (apps, networking.k8s.io, policy).
_MOVED_GROUP = "extensions"

_NO_MANAGED_FIELDS = "the dump has no managedFields; take it with --show-managed-fields"
_ONLY_PODS = "only its pods were read, and they do not show who installed it"
_NO_TRACE = "no label, annotation or field manager says who installed it"
_ONLY_LABEL = "a label says Helm, as charts write it, and no release or annotation does"


class Ownership:
    """The installers' records of one View, queried per object."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._records = _made_by_helm(view)
        self._applications = _listed_by_argocd(view)
        self._named_applications: dict[str, list[Application]] = {}
        for app in view.snapshot.applications:
            self._named_applications.setdefault(app.name, []).append(app)
        self._flux_releases = _kept_by_flux(view, self._records)
        self._releases = {(each.namespace, each.name) for each in view.helm_releases} | self._flux_releases.keys()
        # None: AWS could not be asked. Where it could, `eks` in managedFields of what it does not list is history.
        eks = view.snapshot.eks if view.gap("eks:addons") is None else None
        self._eks_addons = {addon.name for addon in eks.addons} if eks is not None else None

    def claims(self, thing: KubernetesObject, eks_names: Sequence[str] = ()) -> tuple[Claim, ...]:
        """All claims on an object, one per owner; the first is the one that wins.

        `eks_names` are the EKS add-ons that install this software: EKS's field manager does not say which one.
        """
        found = [*self._argocd(thing), *_flux(thing), *self._eks(thing, eks_names)]
        found += [*self._helm(thing), *_manifest(thing)]
        by_owner = {claim.owner: claim for claim in reversed(found)}
        if any(isinstance(owner, owners.FluxHelmRelease) for owner in by_owner):
            # Flux works through Helm, which is not a second owner.
            by_owner = {owner: claim for owner, claim in by_owner.items() if owner.method is not Method.HELM}
        return by_precedence(sorted(by_owner.values(), key=lambda claim: str(claim.owner)))

    def release_claim(self, release: HelmRelease) -> Claim:
        """The owner of a Helm release: Flux, if one of its HelmReleases names it, otherwise Helm."""
        return self._keeper(release.namespace, release.name, "Helm's release record")

    def _keeper(self, namespace: str, name: str, evidence: str) -> Claim:
        kept_by = self._flux_releases.get((namespace, name))
        if kept_by is not None:
            return Claim(owner=kept_by, evidence="its HelmRelease names the Helm release")
        return Claim(owner=owners.HelmRelease(namespace, name), evidence=evidence)

    def _argocd(self, thing: KubernetesObject) -> Iterator[Claim]:
        tracked = self._tracked(thing.annotations.get("argocd.argoproj.io/tracking-id", ""))
        if tracked is not None:
            yield Claim(owner=tracked, evidence="annotation argocd.argoproj.io/tracking-id")
        listed = self._applications.get(thing.ref)
        if listed is not None:
            yield Claim(owner=listed, evidence="the Application's status lists it")

    def _tracked(self, tracking_id: str) -> owners.ArgoApplication | None:
        """The Application that a tracking id (`[NAMESPACE_]NAME:GROUP/KIND:NAMESPACE/NAME`) names.

        None if every Application of that name deploys to another cluster. One that was not read counts: the Argo CD
        that deploys to this cluster may run elsewhere.
        """
        written = tracking_id.partition(":")[0]
        if not written:
            return None
        namespace, _, name = written.rpartition("_")
        known = [app for app in self._named_applications.get(name, ()) if namespace in ("", app.namespace)]
        here = next((app for app in known if self._view.deploys_here(app)), None)
        if here is not None:
            return _application(here)
        return None if known else owners.ArgoApplication(namespace, name)

    def _eks(self, thing: KubernetesObject, eks_names: Sequence[str]) -> Iterator[Claim]:
        if not any(applier.manager == "eks" for applier in thing.appliers):
            return
        names = (name for name in eks_names if self._eks_addons is None or name in self._eks_addons)
        name = next(names, None)
        if name is not None:
            yield Claim(owner=owners.EksAddon(name), evidence="field manager eks")
        elif eks_names and self._eks_addons is not None:
            yield Claim(owner=owners.Manifest("eks"), evidence="field manager eks, and no such EKS add-on")

    def _helm(self, thing: KubernetesObject) -> Iterator[Claim]:
        record = self._records.get(thing.ref)
        if record is not None:
            yield self.release_claim(record)
        annotated = _annotated_release(thing)
        if annotated is not None:
            yield self._keeper(*annotated, "annotation meta.helm.sh/release-name")
        elif record is None:
            yield from self._labelled(thing)

    def _labelled(self, thing: KubernetesObject) -> Iterator[Claim]:
        """A chart's own labels: they say that Helm rendered it and, by convention, name the release."""
        label = next((key for key in _HELM_LABELS if thing.labels.get(key) == "Helm"), None)
        if label is None:
            return
        release = thing.labels.get("app.kubernetes.io/instance") or thing.labels.get("release") or ""
        evidence = f"label {label}: Helm"
        if (thing.namespace, release) in self._releases:
            yield self._keeper(thing.namespace, release, evidence)
        else:
            yield Claim(owner=owners.HelmRelease(thing.namespace, release), evidence=evidence, by_label=True)


# ── Claims that an object makes by itself ───────────────────────────────────────────────────────────────────────────


def _flux(thing: KubernetesObject) -> Iterator[Claim]:
    release = _flux_release(thing)
    if release is not None:
        yield Claim(owner=release, evidence=f"label {_FLUX_HELM}/name")
    name = thing.labels.get(f"{_FLUX_KUSTOMIZE}/name")
    if name:
        namespace = thing.labels.get(f"{_FLUX_KUSTOMIZE}/namespace", "")
        yield Claim(owner=owners.FluxKustomization(namespace, name), evidence=f"label {_FLUX_KUSTOMIZE}/name")


def _flux_release(thing: KubernetesObject) -> owners.FluxHelmRelease | None:
    """The HelmRelease named by Flux's labels."""
    name = thing.labels.get(f"{_FLUX_HELM}/name")
    return owners.FluxHelmRelease(thing.labels.get(f"{_FLUX_HELM}/namespace", ""), name) if name else None


def _annotated_release(thing: KubernetesObject) -> tuple[str, str] | None:
    """(namespace, name) of the release in Helm's annotations, which Helm sets since 3.2."""
    name = thing.annotations.get("meta.helm.sh/release-name")
    return (thing.annotations.get("meta.helm.sh/release-namespace", thing.namespace), name) if name else None


def _manifest(thing: KubernetesObject) -> Iterator[Claim]:
    if "addon.kops.k8s.io/name" in thing.labels:
        yield Claim(owner=owners.Manifest("kops"), evidence="label addon.kops.k8s.io/name")
    elif "objectset.rio.cattle.io/owner-gvk" in thing.annotations:
        yield Claim(owner=owners.Manifest("k3s"), evidence="annotation objectset.rio.cattle.io/owner-gvk")
    elif (other := _other_manager(thing)) is not None:
        yield Claim(owner=owners.Manifest(other[0]), evidence=other[1])
    elif any(applier.manager in _KUBECTL or _is_last_applied(applier.operation) for applier in thing.appliers):
        yield Claim(owner=owners.Manifest("kubectl"), evidence="applied with kubectl")
    elif any((each.manager, each.operation) == (live.FIELD_MANAGER, "Apply") for each in thing.appliers):
        yield Claim(owner=owners.Manifest(live.FIELD_MANAGER), evidence="manifests that were applied in an update")


def _other_manager(thing: KubernetesObject) -> tuple[str, str] | None:
    """The tool that applied an object, and what says so: labels, annotations, field managers."""
    for name, marks, writers in _OTHERS:
        mark = next((key for key in (*thing.labels, *thing.annotations) if key.startswith(marks)), None)
        if mark is not None:
            return name, f"{'label' if mark in thing.labels else 'annotation'} {mark}"
        writer = next((each.manager for each in thing.appliers if each.manager.lower().startswith(writers)), None)
        if writer is not None:
            return name, f"field manager {writer}"
    return None


def _is_last_applied(operation: str) -> bool:
    """Whether the evidence is kubectl's own annotation rather than managedFields."""
    return operation == "LastApplied"


# ── Claims by the installers' records ───────────────────────────────────────────────────────────────────────────────


def _made_by_helm(view: View) -> Mapping[ObjectRef, HelmRelease]:
    """The objects in the manifests of the installed releases."""
    return {_located(view, item, release): release for release in view.helm_releases for item in release.objects}


def _located(view: View, item: HelmObject, release: HelmRelease) -> ObjectRef:
    """The key of an object in a release's manifest; without a namespace, it is in the release's."""
    group = item.api_version.rpartition("/")[0]
    written = ObjectRef(
        group="" if group == _MOVED_GROUP else group, kind=item.kind, namespace=item.namespace, name=item.name
    )
    return view.located(written, release.namespace)


def _listed_by_argocd(view: View) -> Mapping[ObjectRef, owners.ArgoApplication]:
    """The objects that the Applications for this cluster list."""
    return {ref: _application(app) for app in view.applications for ref in app.resources}


def _application(app: Application) -> owners.ArgoApplication:
    return owners.ArgoApplication(app.namespace, app.name, auto_sync=app.auto_sync)


def _kept_by_flux(
    view: View, records: Mapping[ObjectRef, HelmRelease]
) -> Mapping[tuple[str, str], owners.FluxHelmRelease]:
    """(namespace, name) of each Helm release that Flux manages, from Flux's objects or from the labels that it sets."""
    found: dict[tuple[str, str], owners.FluxHelmRelease] = {}
    for workload in view.workloads.values():
        flux, record = _flux_release(workload), records.get(workload.ref)
        release = (record.namespace, record.name) if record is not None else _annotated_release(workload)
        if flux is not None and release is not None:
            found[release] = flux
    for declared in view.flux_helm_releases:
        found[declared.target_namespace, declared.release] = owners.FluxHelmRelease(declared.namespace, declared.name)
    return found


# ── Which claim wins ────────────────────────────────────────────────────────────────────────────────────────────────


def by_precedence(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The claims in order of precedence, those by a label last; those of one method in the order given."""
    return tuple(sorted(claims, key=lambda claim: (claim.by_label, _PRECEDENCE.index(claim.method))))


def fighting(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The claims on one object that contradict each other; empty if they are compatible.

    Traces of kubectl are history, not a conflict: EKS and Helm adopt objects that were once applied by hand. Neither
    are two Helm releases: Helm refuses objects that another release owns.
    """
    standing = [each for each in claims if not each.by_label and each.method not in (Method.MANIFEST, Method.UNKNOWN)]
    one = len({claim.owner for claim in standing}) < 2 or {claim.method for claim in standing} == {Method.HELM}
    return () if one else tuple(standing)


def unclaimed(view: View, things: Iterable[KubernetesObject], *, labelled: bool = False) -> Owner:
    """The owner of what nothing claims but a label, or not even that: the files themselves, or why it is not known.

    An object with a uid or a time of creation came from a cluster, even if it was read from a file: its owner is not
    guessed.
    """
    no_trace = _ONLY_LABEL if labelled else _NO_TRACE
    all_things = list(things)
    live = [thing for thing in all_things if thing.uid or thing.created]
    if not view.from_files:
        return owners.Undetermined(no_trace)
    if live:
        told = any(not _is_last_applied(applier.operation) for thing in live for applier in thing.appliers)
        return owners.Undetermined(no_trace if told or labelled else _NO_MANAGED_FIELDS)
    if any(pod.uid for thing in all_things for pod in view.pods.get(thing.ref, ())):
        return owners.Undetermined(_ONLY_PODS)
    return owners.Manifest("")
