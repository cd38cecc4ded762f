"""A change of a version as a commit: real repositories, made by real git."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from addonctl import ports
from addonctl.adapters.git_checkout import GitCheckout
from addonctl.errors import BadInput, Conflict, Invalid, NotFound
from addonctl.model.owners import ArgoApplication, FluxHelmRelease, FluxKustomization
from addonctl.values import merged

APPLICATION = """\
# The team's DNS.
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: dns, namespace: argocd}
spec:
  sources:
    - repoURL: https://git.example.com/values
      targetRevision: 1.0.0  # the values'
      ref: values
    - chart: dns
      targetRevision: "1.0.0"  # é: keep below 2
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: dns-extra, namespace: argocd}
spec: {source: {chart: extra, targetRevision: 1.0.0}}
"""
RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: dns
  namespace: dns
spec:
  chart:
    spec: {chart: dns, version: 1.0.0}
"""
KUSTOMIZATION = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: dns, namespace: flux-system}
spec: {path: ./dns, sourceRef: {kind: GitRepository, name: fleet}}
"""
ARGO, FLUX = ArgoApplication("argocd", "dns"), FluxHelmRelease("dns", "dns")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "fleet"
    (found / "apps").mkdir(parents=True)
    git(found, "init", "-q", "-b", "main")
    for name, value in (("user.name", "somebody"), ("user.email", "somebody@example.com"), ("commit.gpgsign", "false")):
        git(found, "config", name, value)
    write(found, "apps/dns.yaml", APPLICATION)
    write(found, "apps/flux.yaml", RELEASE)
    write(found, "apps/template.yaml", "{{ if .dns }}\nname: dns: {{ end }}\n")
    return found


def write(folder: Path, file: str, text: str) -> None:
    (folder / file).write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", file)


def test_only_the_version_changes_and_only_on_a_branch(folder: Path) -> None:
    (folder / "apps" / "dns.yaml").write_text("being edited")
    source: ports.GitOpsSource = GitCheckout(folder)
    proposal = source.propose(ARGO, "1.1.0")
    assert (proposal.file, proposal.was, proposal.branch) == ("apps/dns.yaml", "1.0.0", "addonctl/dns-1.1.0")
    wanted = APPLICATION.replace('targetRevision: "1.0.0"', 'targetRevision: "1.1.0"')
    assert git(folder, "show", f"{proposal.branch}:apps/dns.yaml") == wanted
    assert git(folder, "diff", "--stat", "main", proposal.commit).count("|") == 1
    assert git(folder, "rev-parse", f"{proposal.commit}^") == git(folder, "rev-parse", "main")
    assert git(folder, "status", "--short") == " M apps/dns.yaml\n"
    assert git(folder, "branch", "--show-current") == "main\n"


def test_a_release_of_flux(folder: Path) -> None:
    proposal = GitCheckout(folder / "apps").propose(FLUX, "1.1")
    wanted = RELEASE.replace("version: 1.0.0", 'version: "1.1"')
    assert git(folder, "show", f"{proposal.commit}:apps/flux.yaml") == wanted, "a number in YAML is quoted"


def test_proposing_twice_is_proposing_once(folder: Path) -> None:
    source = GitCheckout(folder)
    assert source.propose(ARGO, "1.1.0") == source.propose(ARGO, "1.1.0")
    write(folder, "apps/other.yaml", "a: 1")
    with pytest.raises(Conflict, match=r"addonctl/dns-1\.1\.0 exists"):
        source.propose(ARGO, "1.1.0")


def test_it_is_pushed_when_it_is_asked_for(folder: Path, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True)
    git(folder, "remote", "add", "origin", str(remote))
    source = GitCheckout(folder)
    proposal = source.propose(ARGO, "1.1.0")
    assert git(remote, "branch", "--list") == ""
    source.push(proposal)
    assert git(remote, "rev-parse", proposal.branch).strip() == proposal.commit


def test_what_cannot_be_proposed(folder: Path, tmp_path: Path) -> None:
    source = GitCheckout(folder)
    with pytest.raises(NotFound, match="no file has argocd application argocd/web"):
        source.propose(ArgoApplication("argocd", "web"), "1.1.0")
    write(folder, "apps/branch.yaml", APPLICATION.replace("name: dns,", "name: api,").replace("1.0.0", "main"))
    with pytest.raises(Invalid, match="names no version"):
        source.propose(ArgoApplication("argocd", "api"), "1.1.0")
    write(folder, "apps/kustomization.yaml", KUSTOMIZATION)
    with pytest.raises(Invalid, match="names no version") as caught:
        source.propose(FluxKustomization("flux-system", "dns"), "1.1.0")
    assert caught.value.fix == "Change it where the version is."
    write(folder, "apps/again.yaml", RELEASE)
    with pytest.raises(Invalid, match=r"in several files: apps/again\.yaml, apps/flux\.yaml"):
        source.propose(FLUX, "1.1.0")
    with pytest.raises(BadInput, match="git rev-parse"):
        GitCheckout(tmp_path)


# ── Values ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_VALUES = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: dns, namespace: argocd}
spec:
  source:
    chart: dns
    targetRevision: 1.0.0
    helm:
      releaseName: dns
      valuesObject:
        replicas: 2  # one a zone
        level: "info"
        nodes: {role: dns}
        args:
          - --verbose
        text: |
          several
          lines

    repoURL: https://charts.example.com
  destination: {namespace: dns}  # é
"""


def proposed(folder: Path, text: str, values: dict[str, Any], owner: ArgoApplication | FluxHelmRelease = ARGO) -> str:
    """The file on the branch, after its owner's object was written as `text`."""
    file = "apps/dns.yaml" if owner is ARGO else "apps/flux.yaml"
    if (folder / file).read_text() != text:
        write(folder, file, text)
    proposal = GitCheckout(folder).propose(owner, "1.0.0", values)
    return git(folder, "show", f"{proposal.branch}:{proposal.file}")


def test_values_are_set_in_their_place_and_nothing_else_changes(folder: Path) -> None:
    values = {"replicas": 3, "level": "no", "nodes": {"role": "x y", "zone": "a"}, "new": {"a": [1, "b: c"]}}
    shown = proposed(folder, _VALUES, values)
    expected = _VALUES.replace("replicas: 2", "replicas: 3").replace('level: "info"', 'level: "no"')
    expected = expected.replace("{role: dns}", '{role: "x y", zone: "a"}'.replace('"a"', "a"))
    expected = expected.replace(
        "          lines\n", "          lines\n        new:\n          a:\n          - 1\n          - 'b: c'\n"
    )
    assert shown == expected
    helm = yaml.safe_load(shown)["spec"]["source"]["helm"]
    assert helm["valuesObject"] == merged(yaml.safe_load(_VALUES)["spec"]["source"]["helm"]["valuesObject"], values)


def test_where_there_are_none_they_are_added(folder: Path) -> None:
    shown = proposed(folder, RELEASE, {"replicas": 3}, FLUX)
    assert shown == f"{RELEASE}  values:\n    replicas: 3\n"


def test_in_a_line_they_are_added_in_the_line(folder: Path) -> None:
    application = APPLICATION.replace("    - chart: dns\n", "    - {chart: dns, targetRevision: 1.0.0}\n    - ref: x\n")
    assert "{chart: dns, targetRevision: 1.0.0, helm: " in proposed(folder, application, {"replicas": 3})


def test_with_a_version_both_are_in_one_commit(folder: Path) -> None:
    write(folder, "apps/dns.yaml", _VALUES)
    proposal = GitCheckout(folder).propose(ARGO, "1.1.0", {"replicas": 3})
    assert proposal.branch == "addonctl/dns-1.1.0-values"
    shown = git(folder, "show", f"{proposal.branch}:apps/dns.yaml")
    assert shown == _VALUES.replace("1.0.0", "1.1.0").replace("replicas: 2", "replicas: 3")
    assert GitCheckout(folder).propose(ARGO, "1.1.0", {"replicas": 3}) == proposal


@pytest.mark.parametrize(
    ("text", "values", "says"),
    [
        (_VALUES, {"args": []}, "args is written over several lines"),
        (_VALUES, {"text": "x"}, "text is written over several lines"),
        (_VALUES, {"level": None}, "level is to be taken away"),
        (_VALUES, {"level": {"a": 1}}, "no mapping there"),
        (_VALUES.replace("valuesObject:", "values: |"), {"level": "x"}, "its values are a text"),
    ],
)
def test_what_cannot_be_set_in_its_place_is_left_to_a_person(
    folder: Path, text: str, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(Invalid, match=f"apps/dns.yaml: .*{says}"):
        proposed(folder, text, values)
    assert git(folder, "branch", "--list", "addonctl/*") == ""
