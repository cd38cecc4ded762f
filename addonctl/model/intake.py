"""What became of the files that a snapshot was read from: where each object stands, and what is no object.

Every document is in one of four buckets: read; not Kubernetes (counted); a template (counted, with how to render it);
lost (meant as an object, and it could not be read: a Gap with its place).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a document stands. `member` is its name in an archive, `file`; `line` counts from 1, 0 is unknown.

    `document` counts the documents of a YAML file from 1; 0: it is the only one.
    """

    file: str
    member: str = ""
    line: int = 0
    document: int = 0

    def __str__(self) -> str:
        named = f"{self.file}: {self.member}" if self.member else self.file
        return f"{named}:{self.line}" if self.line else named


class Renderer(StrEnum):
    """What makes objects of templates."""

    HELM = "helm"
    KUSTOMIZE = "kustomize"
    OTHER = "other"  # a template language of which the files do not say who fills it in


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrendered:
    """Files of one folder that become objects only when somebody renders them."""

    renderer: Renderer
    folder: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What became of the files, in numbers; the lost documents are Gaps of the part `documents`."""

    files: int = 0
    objects: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)  # kind → objects of it, the most frequent first
    answers: int = 0  # of the AWS and Helm command lines
    not_kubernetes: Mapping[str, int] = field(default_factory=dict)  # what → documents
    unrendered: tuple[Unrendered, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)  # hidden folders, vendored ones, other files
    modules: Mapping[str, int] = field(default_factory=dict)  # sources of Terraform modules → how often they are used
    fields_lost: int = 0  # scalars that could not be read, of objects that were
