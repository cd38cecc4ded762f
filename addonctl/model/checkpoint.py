"""Checkpoints: a lossless record of an installation before a change, from which it can be restored. Pure values.

Everything in one may be secret. Only a `CheckpointEntry` may be printed or logged; the repr of a `Checkpoint` hides
the rest. ports/checkpoints.py stores them.
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
    """The fingerprint of a Secret that is not stored: it shows whether a live one has changed, not what it holds."""

    ref: ObjectRef
    hmac_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One installation at one time. A field that its kind of owner does not have is None.

    `manager` is the object that a GitOps controller works from (an Application, a HelmRelease). `objects` are the live
    manifests of the installation; `crds` include their status, which holds storedVersions; `custom_resources` are
    included if they were requested. `applied` names all that its owner had applied, as far as that can be told; None:
    nobody noted it.
    """

    cluster: str
    installation: str
    addon: str
    taken: datetime
    owner: Owner
    version: str = ""  # that the owner had it at
    eks: live.Addon | None = None
    helm: live.Release | None = None
    manager: live.Object | None = None
    objects: tuple[live.Object, ...] = ()
    crds: tuple[live.Object, ...] = ()
    custom_resources: tuple[live.Object, ...] = ()
    secrets: tuple[SecretPrint, ...] = ()
    applied: tuple[ObjectRef, ...] | None = None

    def __repr__(self) -> str:
        return f"Checkpoint({self.cluster} {self.installation} {self.taken:%Y-%m-%dT%H:%M:%SZ} {self.owner.type})"

    __str__ = __repr__

    def without_secrets(self, salt: str) -> "Checkpoint":
        """A copy in which each Secret is reduced to a SecretPrint with `salt`."""
        prints = tuple(secret_print(found, salt) for found in self.objects if _is_secret(found))
        return replace(
            self,
            objects=tuple(found for found in self.objects if not _is_secret(found)),
            secrets=self.secrets + prints,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointEntry:
    """What may be printed of a stored checkpoint. `id` is the SHA-256 of the stored bytes."""

    id: str
    cluster: str
    installation: str
    addon: str
    owner: str  # its type: "helm-release"
    version: str = ""
    taken: datetime
    bytes: int
    objects: int
    crds: int
    custom_resources: int
    secrets_withheld: int
    key: str = field(default="", kw_only=True)  # the key it is encrypted with; empty: none

    @classmethod
    def of(cls, held: Checkpoint, *, id: str, bytes: int = 0, key: str = "") -> "CheckpointEntry":
        """The entry of a checkpoint that is stored under `id`."""
        return cls(
            id=id,
            cluster=held.cluster,
            installation=held.installation,
            addon=held.addon,
            owner=held.owner.type,
            version=held.version,
            taken=held.taken,
            bytes=bytes,
            objects=len(held.objects),
            crds=len(held.crds),
            custom_resources=len(held.custom_resources),
            secrets_withheld=len(held.secrets),
            key=key,
        )

    def __str__(self) -> str:
        kept = f"key {self.key}" if self.key else "not encrypted"
        when = f"{self.taken:%Y-%m-%dT%H:%M:%SZ}"
        return f"{self.id[:12]} {when} {self.cluster} {self.installation} {self.owner} {self.bytes} bytes, {kept}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Objects of a checkpoint that are otherwise now, and what its owner has applied that it did not hold.

    `others`: of these, others have written all that is otherwise, or only labels and annotations are.
    """

    changed: tuple[ObjectRef, ...] = ()
    others: tuple[ObjectRef, ...] = ()
    added: tuple[ObjectRef, ...] = ()


def secret_print(secret: live.Object, salt: str) -> SecretPrint:
    """The fingerprint of a Secret: a keyed hash of its type and data."""
    held: Mapping[str, Any] = {key: secret.document.get(key) for key in ("type", "data", "immutable")}
    canonical = json.dumps(held, sort_keys=True, separators=(",", ":")).encode()
    return SecretPrint(secret.ref, f"{salt}:{hmac.new(salt.encode(), canonical, hashlib.sha256).hexdigest()}")


def _is_secret(found: live.Object) -> bool:
    return found.ref.group == "" and found.ref.kind == "Secret"
