"""How a change is said in the installer's own language, so that a mend can be pasted. Called by the capabilities.

A mend is lines: commands, with comments before them. Names are quoted: a file may call its objects what it likes.
"""

from collections.abc import Iterable
from shlex import quote

from addonctl.model import EksAddon, Installation, Method, ObjectRef


def command(*words: str) -> str:
    """A line to paste."""
    return " ".join(quote(word) for word in words)


def update_addon_command(cluster: str, name: str, version: str, installed: EksAddon | None) -> str:
    """The command with what UpdateAddon would drop or reset if it were left out (the IAM role, the configuration)."""
    words = ["aws", "eks", "update-addon", "--cluster-name", cluster, "--addon-name", name, "--addon-version", version,
             "--resolve-conflicts", "PRESERVE"]  # fmt: skip
    if installed is not None and installed.service_account_role_arn:
        words += ["--service-account-role-arn", installed.service_account_role_arn]
    line = command(*words)
    if installed is not None and installed.configuration_values not in ("", "{}"):
        line += " --configuration-values file://…  # the current ones: aws eks describe-addon"
    return line


def undo(row: Installation, ref: ObjectRef) -> str:
    """Lines that say how to go back, if a fault began with a change; empty where nobody knows."""
    namespace, _, name = row.owner.rpartition(" ")[2].rpartition("/")
    began, line = {
        Method.HELM: ("an upgrade", command("helm", "rollback", name, "-n", namespace or ref.namespace)),
        Method.EKS: ("an update", "# update the add-on to the version before"),
        Method.ARGOCD: ("a sync", command("argocd", "app", "rollback", name)),
        Method.FLUX: ("a commit", "# revert it"),
        Method.MANIFEST: ("a change", kubectl("rollout", "undo", ref)),
    }.get(row.method, ("", ""))
    return f"\n# if it began with {began}:\n{line}" if line else ""


def kubectl(verb: str, *what: str | ObjectRef) -> str:
    """A kubectl command; an ObjectRef becomes `-n NAMESPACE KIND/NAME`."""
    words = ["kubectl", verb]
    for word in what:
        if isinstance(word, str):
            words.append(word)
            continue
        words += ["-n", word.namespace] if word.namespace else []
        words.append(f"{word.kind.lower()}/{word.name}")
    return command(*words)


def eks_addon(row: Installation, listed: Iterable[EksAddon]) -> EksAddon | None:
    """The EKS add-on that keeps an installation."""
    names = {claim.owner.removeprefix("eks add-on ") for claim in row.claims if claim.method is Method.EKS}
    return next((addon for addon in listed if addon.name in names), None)
