"""What is needed to go back: an installation to the letter, as it was before a change. Pure values; a store keeps them.

Everything in it may be secret. Only a `CheckpointEntry` may be shown or logged; `Checkpoint` hides the rest from repr.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from addonctl.model import live
from addonctl.model.cluster import ObjectRef
from addonctl.model.owners import Owner

CHECKPOINT_SCHEMA = 1
"""Raised when a reader of the previous schema would misread a new checkpoint."""


@dataclass(frozen=True, slots=True)
class SecretPrint:
    """A Secret that is known and not kept: whether a live one is still the same can be told, what it holds cannot."""

    ref: ObjectRef
    hmac_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One installation at one time. What its owner does not have is None.

    `manager` is the object that a GitOps controller works from (an Application, a HelmRelease). `objects` are the live
    manifests of the installation; `crds` come with their status, which tells storedVersions; `custom_resources` are
    theirs, where they were asked for.
    """

    cluster: str
    installation: str
    addon: str
    taken: datetime
    owner: Owner
    eks: live.Addon | None = None
    helm: live.Release | None = None
    manager: live.Object | None = None
    objects: tuple[live.Object, ...] = ()
    crds: tuple[live.Object, ...] = ()
    custom_resources: tuple[live.Object, ...] = ()
    secrets: tuple[SecretPrint, ...] = ()

    def __repr__(self) -> str:
        return f"Checkpoint({self.cluster} {self.installation} {self.taken:%Y-%m-%dT%H:%M:%SZ} {self.owner.type})"

    __str__ = __repr__

    def without_secrets(self, salt: str) -> "Checkpoint":
        """The same with each Secret reduced to a SecretPrint under `salt`."""
        prints = tuple(secret_print(found, salt) for found in self.objects if _is_secret(found))
        return replace(
            self,
            objects=tuple(found for found in self.objects if not _is_secret(found)),
            secrets=self.secrets + prints,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointEntry:
    """What may be shown of a stored checkpoint. `id` is the SHA-256 of what is stored."""

    id: str
    cluster: str
    installation: str
    addon: str
    owner: str  # its type: "helm-release"
    taken: datetime
    bytes: int
    objects: int
    crds: int
    custom_resources: int
    secrets_withheld: int
    key: str = field(default="", kw_only=True)  # which key it is encrypted with, empty: none

    def __str__(self) -> str:
        kept = f"key {self.key}" if self.key else "not encrypted"
        when = f"{self.taken:%Y-%m-%dT%H:%M:%SZ}"
        return f"{self.id[:12]} {when} {self.cluster} {self.installation} {self.owner} {self.bytes} bytes, {kept}"


def secret_print(secret: live.Object, salt: str) -> SecretPrint:
    """What tells a Secret from a changed one without holding it: a keyed hash over its type and data."""
    held: Mapping[str, Any] = {key: secret.document.get(key) for key in ("type", "data", "immutable")}
    canonical = json.dumps(held, sort_keys=True, separators=(",", ":")).encode()
    return SecretPrint(secret.ref, f"{salt}:{hmac.new(salt.encode(), canonical, hashlib.sha256).hexdigest()}")


def _is_secret(found: live.Object) -> bool:
    return found.ref.group == "" and found.ref.kind == "Secret"
