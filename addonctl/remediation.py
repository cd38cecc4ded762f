"""How a change is said in the installer's own language, so that a fix can be pasted. Called by the capabilities.

A fix is lines: commands, with comments before them. Names are quoted: a file may call its objects what it likes.
"""

from collections.abc import Iterable
from shlex import quote

from addonctl.model import EksAddon, Installation, Method, ObjectRef, Snapshot


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
    if installed is not None and installed.is_configured:
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


def restore(row: Installation, snapshot: Snapshot) -> str:
    """Lines that put the objects of an add-on back as its installer has them, its version unchanged."""
    name = row.owner.rpartition(" ")[2]
    namespace, _, short = name.rpartition("/")
    release = next((r for r in snapshot.helm_releases if (r.namespace, r.name) == (namespace, short)), None)
    if row.method is Method.HELM and release is not None:
        again = command("helm", "rollback", short, str(release.revision), "-n", namespace)
        return f"# to the revision that it is at: Helm makes again what is gone\n{again}"
    if row.method is Method.ARGOCD:
        return command("argocd", "app", "sync", name)
    if row.method is Method.FLUX:
        kind = row.owner.split(" ")[1]
        return command(
            "flux", "reconcile", kind, short, "-n", namespace, *(["--force"] if kind == "helmrelease" else [])
        )
    listed = eks_addon(row, snapshot.eks.addons) if snapshot.eks else None
    if row.method is Method.EKS and listed is not None:
        again = update_addon_command(snapshot.cluster.name, listed.name, listed.version, listed)
        return f"# ask EKS for the installed version once more:\n{again}"
    version = f" of {row.version}" if row.version else ""
    return f"# apply its manifests{version} again: kubectl apply --server-side -f …"


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
