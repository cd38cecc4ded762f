"""What AWS runs outside the cluster, and EKS add-ons that are known only from EKS.

Decided from what EKS describes. Called by the inventory.
"""

from collections.abc import Iterator

from addonctl import versions
from addonctl.catalog import Catalog
from addonctl.model import Claim, EksAddon, EksCapability, Evidence, Installation, View, owners

_AUTO_MODE = "EKS Auto Mode"
_AWS_MANAGES = "AWS manages its version"


def aws_managed(view: View, catalog: Catalog) -> Iterator[Installation]:
    """The built-in components of EKS Auto Mode, if the cluster uses it, and the cluster's EKS capabilities."""
    eks = view.snapshot.eks
    if eks is None:
        return
    if eks.cluster.auto_mode:
        for addon in catalog.addons.values():
            if addon.auto_mode:
                yield _built_in(addon.id, addon.auto_mode)
    for capability in eks.capabilities:
        yield _capability(capability)


def _built_in(addon: str, what: str) -> Installation:
    return Installation(
        id=f"{addon}/auto-mode",
        addon=addon,
        name=f"{what} of {_AUTO_MODE}",
        version=None,
        version_unknown_reason=_AWS_MANAGES,
        owner=owners.AwsManaged(_AUTO_MODE),
        evidence=(Evidence(kind="eks", subject=_AUTO_MODE, detail="DescribeCluster"),),
    )


def _capability(capability: EksCapability) -> Installation:
    name = f"EKS capability {capability.type}"
    version = versions.parse(capability.version)
    return Installation(
        id=f"capability/{capability.name}",
        addon=f"eks-capability-{capability.type.lower()}",
        name=name,
        version=version,
        version_unknown_reason="" if version else _AWS_MANAGES,
        owner=owners.AwsManaged(name),
        evidence=(Evidence(kind="eks", subject=name, detail="ListCapabilities"),),
    )


def eks_only(listed: EksAddon) -> Installation:
    """An EKS add-on that is not in the catalog."""
    owner = owners.EksAddon(listed.name)
    version = versions.parse(listed.version)
    said = f"{listed.version!r} is not a version" if listed.version else "EKS reports no version"
    return Installation(
        id="/".join(filter(None, (listed.name, listed.namespace))),
        addon=listed.name,
        name=listed.name,
        version=version,
        version_unknown_reason="" if version else said,
        owner=owner,
        configuration=f"configurationValues of {owner}",
        claims=(Claim(owner=owner, evidence="EKS lists the add-on"),),
        namespaces=(listed.namespace,) if listed.namespace else (),
        evidence=(Evidence(kind="eks", subject=str(owner), detail="ListAddons"),),
    )
