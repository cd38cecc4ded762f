"""A change of a version as a commit: real repositories, made by real git."""

import subprocess
from pathlib import Path

import pytest

from addonctl import ports
from addonctl.adapters.git_checkout import GitCheckout
from addonctl.errors import BadInput, Conflict, Invalid, NotFound
from addonctl.model.owners import ArgoApplication, FluxHelmRelease

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
    write(folder, "apps/again.yaml", RELEASE)
    with pytest.raises(Invalid, match=r"in several files: apps/again\.yaml, apps/flux\.yaml"):
        source.propose(FLUX, "1.1.0")
    with pytest.raises(BadInput, match="git rev-parse"):
        GitCheckout(tmp_path)
