"""Versions of add-ons and of Kubernetes: read, compared, shortened.

An add-on version is what its maintainers print: `v1.12.4`, `v1.12.4-eksbuild.3`, `1.300059.0b1207`, `2025.8.5`.
Order follows the numbers; a pre-release stands before its release, an EKS build after it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache, total_ordering

from addonctl.errors import BadInput

_VERSION = re.compile(
    r"(?:edge-|stable-|release-|v\d(?:alpha|beta)\d-)?v?(?P<numbers>\d{1,20}(?:\.\d{1,20}){0,4})"
    r"(?:b(?P<agent_build>\d{1,20}))?"
    r"(?P<rest>[-+._][0-9A-Za-z][0-9A-Za-z.+_-]{0,99})?",
)
_PRE_RELEASE = re.compile(r"[-._]?(alpha|beta|rc|preview|pre|dev|snapshot)(?![a-z])[.-]?(\d{0,9})", re.IGNORECASE)
_EKS_BUILD = re.compile(r"-eksbuild\.(\d{1,20}|preview)")
# Words by which images of one version differ; they are no part of the version.
_FLAVOUR = re.compile(
    r"[-_.](?:debian|alpine|distroless|slim|scratch|bookworm|bullseye|ubuntu|ubi\d*|minimal|amd64|arm64|linux|windows"
    r"|glibc|musl|chroot|nonroot|root|multiarch)(?![a-z])[\w.-]*?(?=-eksbuild\.|$)"
)
_KUBERNETES = re.compile(r"v?(\d{1,2})\.(\d{1,3})(?!\d)")
_PRE_RELEASE_ORDER = {"dev": 0, "snapshot": 0, "preview": 1, "pre": 1, "alpha": 1, "beta": 2, "rc": 3}
_RELEASED = (9, 0)
# At three minors a year, what has more digits is a slip of the finger.
_MINOR_MAX = 99


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """An add-on version; `text` is as it was written, without surrounding space.

    `numbers` are the dotted integers; `pre_release` is (rank, number), released versions rank highest;
    `build` is the EKS build (`-eksbuild.N`) or the build of the CloudWatch agent (`bN`), 0 where there is none.
    """

    text: str
    numbers: tuple[int, ...]
    pre_release: tuple[int, int]
    build: int

    @property
    def key(self) -> tuple[tuple[int, ...], tuple[int, int], int]:
        """What decides order and equality: trailing zeros do not count, so 1.2 equals 1.2.0."""
        numbers = self.numbers
        while len(numbers) > 1 and numbers[-1] == 0:
            numbers = numbers[:-1]
        return numbers, self.pre_release, self.build

    @property
    def minor(self) -> tuple[int, int]:
        """(major, minor)."""
        return self.numbers[0], self.numbers[1] if len(self.numbers) > 1 else 0

    @property
    def is_eks_build(self) -> bool:
        return "-eksbuild." in self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.key == other.key

    def __lt__(self, other: "Version") -> bool:
        return self.key < other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        return self.text


@lru_cache(maxsize=8192)
def parse(text: str) -> Version | None:
    """The version that `text` writes, or None when it writes none (`latest`, `stable`, a digest)."""
    stripped = text.strip()
    match = _VERSION.fullmatch(stripped)
    if match is None:
        return None
    rest = match["rest"] or ""
    numbers = tuple(int(part) for part in match["numbers"].split("."))
    return Version(stripped, numbers, _pre_release(rest), _build(match["agent_build"], rest))


def _pre_release(rest: str) -> tuple[int, int]:
    found = _PRE_RELEASE.search(rest)
    if found is None:
        return _RELEASED
    return _PRE_RELEASE_ORDER[found[1].lower()], int(found[2] or 0)


def _build(agent_build: str | None, rest: str) -> int:
    if agent_build is not None:
        return int(agent_build)
    eks = _EKS_BUILD.search(rest)
    return int(eks[1]) if eks and eks[1].isdigit() else 0


def of_tag(tag: str) -> str:
    """The version that an image tag names, without the image's flavour: `0.41.0` of `0.41.0-debian`."""
    return _FLAVOUR.sub("", tag, count=1)


def same_release(left: str, right: str) -> bool:
    """Whether two texts name the same upstream release, whatever their EKS build, `v` or suffix."""
    a, b = parse(left), parse(right)
    if a is None or b is None:
        return left.strip() == right.strip()
    return (a.key[0], a.pre_release) == (b.key[0], b.pre_release)


@dataclass(frozen=True, slots=True, order=True)
class Minor:
    """A Kubernetes minor, such as 1.35; orders 1.9 before 1.31."""

    major: int
    minor: int

    @classmethod
    def of(cls, text: str) -> "Minor":
        """The minor that a person wrote: `1.35`, `v1.35`. Raises BadInput when it is none, or none that can ever be."""
        match = _KUBERNETES.fullmatch(text.strip())
        if match is None or int(match[2]) > _MINOR_MAX:
            raise BadInput(f"{text[:40]!r} is not a Kubernetes version", "Give major and minor, such as 1.35.")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def read(cls, text: str) -> "Minor | None":
        """1.31 out of what a program says: `v1.31.2-eks-94953ac`, `1.31+`, `1.31`; None when there is none in it."""
        match = _KUBERNETES.match(text.strip())
        return cls(int(match[1]), int(match[2])) if match else None

    @property
    def next(self) -> "Minor":
        return Minor(self.major, self.minor + 1)

    def up_to(self, last: "Minor") -> tuple["Minor", ...]:
        """The minors after this one up to `last`: a control plane passes through each."""
        return tuple(Minor(self.major, number) for number in range(self.minor + 1, last.minor + 1))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


def kubernetes_minor(text: str) -> str | None:
    """`1.31` out of `v1.31.2-eks-94953ac`, `1.31+` or `1.31`; None when there is none in it."""
    match = _KUBERNETES.match(text.strip())
    return f"{match[1]}.{match[2]}" if match else None


def minor_key(minor: str) -> tuple[int, int]:
    """Orders Kubernetes minors such as `1.9` before `1.31`. Raises BadInput when `minor` is not one."""
    match = _KUBERNETES.fullmatch(minor.strip())
    if match is None:
        raise BadInput(f"{minor[:40]!r} is not a Kubernetes version", "Give major and minor, such as 1.35.")
    return int(match[1]), int(match[2])


def next_minor(minor: str) -> str:
    """`1.36` after `1.35`."""
    major, number = minor_key(minor)
    return f"{major}.{number + 1}"
