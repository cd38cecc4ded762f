"""How a change is said in the installer's own language, so that a mend can be pasted. Called by the capabilities."""

from collections.abc import Iterable

from addonctl.model import EksAddon, Installation, Method, ObjectRef


def update_addon_command(cluster: str, name: str, version: str, installed: EksAddon | None) -> str:
    """The command with what UpdateAddon would drop or reset if it were left out (the IAM role, the configuration)."""
    command = (
        f"aws eks update-addon --cluster-name {cluster} --addon-name {name} --addon-version {version}"
        " --resolve-conflicts PRESERVE"
    )
    if installed is not None and installed.service_account_role_arn:
        command += f" --service-account-role-arn {installed.service_account_role_arn}"
    if installed is not None and installed.configuration_values not in ("", "{}"):
        command += " --configuration-values file://…  # the current ones: aws eks describe-addon"
    return command


def undo(row: Installation, ref: ObjectRef) -> str:
    """How to go back, if a fault began with a change; appended to another mend, empty where nobody knows."""
    namespace, _, name = row.owner.rpartition(" ")[2].rpartition("/")
    return {
        Method.HELM: f"; if it began with an upgrade: helm rollback {name} -n {namespace or ref.namespace}",
        Method.EKS: "; if it began with an update: update the add-on to the version before",
        Method.ARGOCD: f"; if it began with a sync: argocd app rollback {name}",
        Method.FLUX: "; if it began with a commit: revert it",
        Method.MANIFEST: f"; if it began with a change: kubectl rollout undo -n {ref.namespace} "
                         f"{ref.kind.lower()}/{ref.name}",
    }.get(row.method, "")  # fmt: skip


def eks_addon(row: Installation, listed: Iterable[EksAddon]) -> EksAddon | None:
    """The EKS add-on that keeps an installation."""
    names = {claim.owner.removeprefix("eks add-on ") for claim in row.claims if claim.method is Method.EKS}
    return next((addon for addon in listed if addon.name in names), None)
