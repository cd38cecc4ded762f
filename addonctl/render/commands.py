"""Turns Actions into words: commands to paste, in the installer's own terms, and instructions for a person.

Every word of a command is quoted and comments are flattened to one line: a cluster's names may contain anything, and
a line offered for pasting must not run anything else. Called by every report format.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from shlex import quote

from addonctl.findings import CHECKS
from addonctl.model import (
    Action,
    Apply,
    CommandLine,
    CreateAddon,
    Delete,
    DeleteAddon,
    Finding,
    GitChange,
    HelmRollback,
    HelmUpgrade,
    Note,
    Patch,
    Sync,
    UpdateAddon,
    owners,
)
from addonctl.remediation import object_words
from addonctl.render.escaping import plain


class LineKind(StrEnum):
    COMMAND = "command"  # to paste
    COMMENT = "comment"  # printed before a command, harmless when pasted
    PROSE = "prose"  # for a person; not to paste


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a fix, ready to print: commands are quoted, all text is on one line."""

    kind: LineKind
    text: str

    def __str__(self) -> str:
        return f"# {self.text}" if self.kind is LineKind.COMMENT else self.text


def fix_lines(found: Finding) -> tuple[Line, ...]:
    """How to fix a finding; the registry's general fix if it has none of its own."""
    if not found.fix:
        return (_prose(CHECKS[found.code].fix),)
    return action_lines(found.fix)


def action_lines(actions: Iterable[Action]) -> tuple[Line, ...]:
    """Several actions, one after the other."""
    return tuple(line for action in actions for line in lines(action))


def action_text(actions: Iterable[Action]) -> str:
    """Several actions as one text."""
    return text(action_lines(actions))


def fix_text(found: Finding) -> str:
    """The same as one string."""
    return text(fix_lines(found))


def text(listed: Iterable[Line]) -> str:
    """Lines as one string. Prose becomes a comment if there are commands, so that all of it can be pasted."""
    kept = tuple(listed)
    pasted = any(line.kind is LineKind.COMMAND for line in kept)
    return "\n".join(f"# {line.text}" if pasted and line.kind is LineKind.PROSE else str(line) for line in kept)


def boxes(listed: Iterable[Line]) -> list[tuple[bool, str]]:
    """Lines of a change in pieces: (whether these lines are to be pasted, the lines)."""
    pieces = groupby(listed, key=lambda line: line.kind is not LineKind.PROSE)
    return [(pasted, "\n".join(map(str, those))) for pasted, those in pieces]


def lines(action: Action) -> Iterator[Line]:
    """One action in words: a comment that says why, then what to run; or prose alone."""
    why = getattr(action, "why", "")
    if why:
        yield Line(LineKind.COMMENT, plain(why))
    yield from _what(action)


def _what(action: Action) -> Iterator[Line]:
    """What to run or to do, without the reason."""
    match action:
        case Note():
            yield _prose(action.text)
        case CommandLine():
            yield Line(LineKind.COMMAND, _run(action))
        case UpdateAddon():
            yield Line(LineKind.COMMAND, _update_addon(action))
        case CreateAddon():
            yield _command(*_create_addon(action))
        case DeleteAddon():
            preserve = ("--preserve",) if action.preserve else ()
            yield _command(*_eks("delete-addon", action.cluster, action.addon), *preserve)
        case HelmUpgrade():
            yield from _helm_upgrade(action)
        case HelmRollback():
            revision = (str(action.revision),) if action.revision else ()
            yield _command("helm", "rollback", action.name, *revision, *_namespace(action.namespace))
        case Sync():
            yield _command(*_sync(action))
        case GitChange():
            yield _prose(f"Where {action.owner} is kept: {action.change}.")
        case Patch():
            sub = (f"--subresource={action.subresource}",) if action.subresource else ()
            body = json.dumps(action.body, separators=(",", ":"))
            yield _command("kubectl", "patch", *object_words(action.target), *sub, "--type=merge", "-p", body)
        case Apply(file=file) if file:
            yield _command("kubectl", "apply", "--server-side", "-f", file)
        case Apply():
            yield _prose(f"Apply {action.what}: kubectl apply --server-side -f FILE.")
        case Delete():
            yield from _delete(action)


def command(*words: str) -> str:
    """A command line, each word quoted and on one line."""
    return " ".join(quote(plain(word)) for word in words)


def _command(*words: str) -> Line:
    return Line(LineKind.COMMAND, command(*words))


def _prose(words: str) -> Line:
    return Line(LineKind.PROSE, plain(words))


def _namespace(name: str) -> tuple[str, ...]:
    return ("-n", name) if name else ()


def _run(action: CommandLine) -> str:
    piped = " | ".join(command(*argv) for argv in (action.argv, *action.pipe))
    return f"{piped} > {command(action.save_to)}" if action.save_to else piped


def _eks(verb: str, cluster: str, addon: str) -> tuple[str, ...]:
    return ("aws", "eks", verb, "--cluster-name", cluster, "--addon-name", addon)


def _create_addon(action: CreateAddon) -> Iterator[str]:
    yield from _eks("create-addon", action.cluster, action.addon)
    if action.version:
        yield from ("--addon-version", action.version)
    if action.role_arn:
        yield from ("--service-account-role-arn", action.role_arn)
    if action.values:
        yield from ("--configuration-values", f"file://{action.values}")
    if action.resolve_conflicts != "NONE":
        yield from ("--resolve-conflicts", action.resolve_conflicts)


# There must be a configuration to send back even if there is none: `--output text` prints null as "None".
_CONFIGURATION = 'addon.configurationValues || `"{}"`'


def _update_addon(action: UpdateAddon) -> str:
    words = [*_eks("update-addon", action.cluster, action.addon), "--addon-version", action.version]
    words += ["--resolve-conflicts", action.resolve_conflicts]
    if action.role_arn:
        words += ["--service-account-role-arn", action.role_arn]
    if action.values:
        return command(*words, "--configuration-values", f"file://{action.values}")
    if not action.keep_configuration:
        return command(*words)
    current = command(
        *_eks("describe-addon", action.cluster, action.addon),
        "--query",
        _CONFIGURATION,
        "--output",
        "text",
    )
    return f'{command(*words)} --configuration-values "$({current})"'


def _helm_upgrade(action: HelmUpgrade) -> Iterator[Line]:
    if not (action.chart and action.version):
        where = f"{action.namespace}/{action.name}" if action.namespace else action.name
        yield _prose(f"Upgrade Helm release {where} to a chart version {action.choose or 'that fits'}.")
        return
    yield _command(
        "helm",
        "upgrade",
        action.name,
        action.chart,
        *(("--repo", action.repository) if action.repository else ()),
        "--version",
        action.version,
        "--reset-then-reuse-values",
        *(("--values", action.values) if action.values else ()),
        *_namespace(action.namespace),
    )


def _sync(action: Sync) -> tuple[str, ...]:
    match action.owner:
        case owners.ArgoApplication(namespace=namespace, name=name):
            return ("argocd", "app", "sync", f"{namespace}/{name}" if namespace else name)
        case owners.FluxHelmRelease(namespace=namespace, name=name):
            force = ("--force",) if action.force else ()
            return ("flux", "reconcile", "helmrelease", name, *_namespace(namespace), *force)
        case owners.FluxKustomization(namespace=namespace, name=name):
            return ("flux", "reconcile", "kustomization", name, *_namespace(namespace))
    raise AssertionError(f"{action.owner} is not managed by a GitOps controller")


def _delete(action: Delete) -> Iterator[Line]:
    target = object_words(action.target)
    if action.save_first:
        saved = CommandLine(("kubectl", "get", *target, "-o", "yaml"), save_to=f"{action.target.name}.yaml")
        yield Line(LineKind.COMMAND, _run(saved))
    yield _command("kubectl", "delete", *target)
