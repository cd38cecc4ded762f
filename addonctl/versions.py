"""Versions of add-ons and of Kubernetes, and ranges of them, as values: parsed once, then compared.

An add-on version is what its maintainers print: `v1.12.4`, `v1.12.4-eksbuild.3`, `1.300059.0b1207`, `2025.8.5`.
They order by their numbers; a pre-release comes before its release, an EKS build after it. In files and documents each
is a single string, so they are not dataclasses: adapters/encoding.py writes and reads that string.
"""

import re
from functools import lru_cache, total_ordering
from typing import Any, NoReturn

from addonctl.errors import BadInput

_VERSION = re.compile(
    r"(?:edge-|stable-|release-|v\d(?:alpha|beta)\d-)?v?(?P<numbers>\d{1,20}(?:\.\d{1,20}){0,4})"
    r"(?:b(?P<agent_build>\d{1,20}))?"
    r"(?P<rest>[-+._][0-9A-Za-z][0-9A-Za-z.+_-]{0,99})?",
)
# Pre-release identifiers, alone or with a number: `-rc.1`, `-beta2`, `-nightly.20260801`.
_PRE_RELEASE = re.compile(
    r"(?<![a-z])(alpha|beta|rc|preview|prerelease|pre|dev|snapshot|nightly|canary)(?![a-z])[.-]?(\d{0,9})",
    re.IGNORECASE,
)
_EKS_BUILD = re.compile(r"-eksbuild\.(\d{1,20}|preview)")
# Image flavours: they are not part of the version.
_FLAVOUR = re.compile(
    r"[-_.](?:debian|alpine|distroless|slim|scratch|bookworm|bullseye|ubuntu|ubi\d*|minimal|amd64|arm64|linux|windows"
    r"|glibc|musl|chroot|nonroot|root|multiarch)(?![a-z])[\w.-]*?(?=-eksbuild\.|$)"
)
_KUBERNETES = re.compile(r"v?(\d{1,2})\.(\d{1,3})(?!\d)")
_PRE_RELEASE_ORDER = {
    **dict.fromkeys(("dev", "snapshot", "nightly", "canary"), 0),
    **dict.fromkeys(("preview", "prerelease", "pre", "alpha"), 1),
    "beta": 2,
    "rc": 3,
}
_RELEASED = (9, 0)
# At three minors a year, more digits are a typo.
_MINOR_MAX = 99


class _Value:
    """Frozen; copied and pickled by its text."""

    __slots__ = ()

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __copy__(self) -> "_Value":
        return self

    def __deepcopy__(self, memo: object) -> "_Value":
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


# ── Versions of add-ons ─────────────────────────────────────────────────────────────────────────────────────────────


@total_ordering
class Version(_Value):
    """An add-on version; `text` is as written, stripped of surrounding whitespace.

    `numbers` are the dotted integers; `pre_release` is (rank, number), released versions rank highest;
    `build` is the EKS build (`-eksbuild.N`) or the build of the CloudWatch agent (`bN`), 0 where there is none.
    `key` defines order and equality: trailing zeros do not count, so 1.2 equals 1.2.0.
    """

    __slots__ = ("build", "key", "numbers", "pre_release", "text")

    text: str
    numbers: tuple[int, ...]
    pre_release: tuple[int, int]
    build: int
    key: tuple[tuple[int, ...], tuple[int, int], int]

    def __init__(self, text: str, numbers: tuple[int, ...], pre_release: tuple[int, int], build: int) -> None:
        assert numbers, f"a version has numbers: {text!r}"
        key = (_without_zeros(numbers), pre_release, build)
        self._set(text=text, numbers=numbers, pre_release=pre_release, build=build, key=key)

    @classmethod
    def of(cls, text: str) -> "Version":
        """Parses a version that a person typed. Raises BadInput when it cannot be compared."""
        found = parse(text)
        if found is None:
            raise BadInput(f"{text[:80]!r} cannot be read as a version", "Give a version such as v1.12.4-eksbuild.3.")
        return found

    @property
    def minor(self) -> tuple[int, int]:
        """(major, minor)."""
        return self.numbers[0], self.numbers[1] if len(self.numbers) > 1 else 0

    @property
    def is_released(self) -> bool:
        """Whether it is no pre-release."""
        return self.pre_release == _RELEASED

    @property
    def is_eks_build(self) -> bool:
        """Whether AWS built it: then only AWS's table says which Kubernetes it supports."""
        return "-eksbuild." in self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.key == other.key

    def __lt__(self, other: "Version") -> bool:
        return self.key < other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[Any, ...]:
        return Version.of, (self.text,)


def _without_zeros(numbers: tuple[int, ...]) -> tuple[int, ...]:
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers = numbers[:-1]
    return numbers


@lru_cache(maxsize=8192)
def parse(text: str) -> Version | None:
    """Parses `text`; None when it is not a version (`latest`, `stable`, a digest)."""
    stripped = text.strip()
    match = _VERSION.fullmatch(stripped)
    if match is None:
        return None
    rest = match["rest"] or ""
    numbers = tuple(int(part) for part in match["numbers"].split("."))
    return Version(stripped, numbers, _pre_release(rest), _build(match["agent_build"], rest))


_PINNED = re.compile(r"v?\d+\.\d+\.\d+(?:[-+.][0-9A-Za-z.+-]*)?")


def pinned(text: str) -> Version | None:
    """Parses `text` where it names one version; None for what may move: a branch, `1.2.x`, `>=1.2`, `v1`."""
    return parse(text) if _PINNED.fullmatch(text) else None


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
    """The version in an image tag, without the image's flavour: `0.41.0` of `0.41.0-debian`."""
    return _FLAVOUR.sub("", tag, count=1)


class VersionRange(_Value):
    """A range of versions: `*` any, `1.21` a minor, `1.16 - 1.18` inclusive, `1.21+` open-ended.

    Bounds are compared to the precision they are written with: `1.16 - 1.18` includes 1.18.9. Equality is by text.
    """

    __slots__ = ("highest", "lowest", "text")

    text: str
    lowest: tuple[int, ...] | None  # None: unbounded
    highest: tuple[int, ...] | None

    def __init__(self, text: str, lowest: tuple[int, ...] | None, highest: tuple[int, ...] | None) -> None:
        self._set(text=text, lowest=lowest, highest=highest)

    @classmethod
    def of(cls, text: str) -> "VersionRange":
        """Parses a range. Raises BadInput when `text` is not one."""
        if text == "*":
            return cls(text, None, None)
        if text.endswith("+"):
            return cls(text, Version.of(text[:-1]).numbers, None)
        low, _, high = text.partition(" - ")
        found = cls(text, Version.of(low).numbers, Version.of(high or low).numbers)
        if found.lowest is not None and found.highest is not None and found.lowest > found.highest and high:
            raise BadInput(f"{text!r} ends before it begins", "Give the lower version first.")
        return found

    def covers(self, version: Version) -> bool:
        """Whether `version` is in the range."""
        return not self.is_above(version) and not self.is_below(version)

    def is_above(self, version: Version) -> bool:
        """Whether the whole range is newer than `version`."""
        return self.lowest is not None and _first(version, len(self.lowest)) < self.lowest

    def is_below(self, version: Version) -> bool:
        """Whether the whole range is older than `version`."""
        return self.highest is not None and _first(version, len(self.highest)) > self.highest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VersionRange) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[Any, ...]:
        return VersionRange.of, (self.text,)


def _first(version: Version, count: int) -> tuple[int, ...]:
    """The first `length` numbers of a version, padded with zeros: 1.16 is 1.16.0."""
    return (version.numbers + (0,) * count)[:count]


# ── Versions of Kubernetes ──────────────────────────────────────────────────────────────────────────────────────────


@total_ordering
class Minor(_Value):
    """A Kubernetes minor, such as 1.35; orders 1.9 before 1.31."""

    __slots__ = ("major", "minor")

    major: int
    minor: int

    def __init__(self, major: int, minor: int) -> None:
        assert min(major, minor) >= 0, f"no minor is {major}.{minor}"
        self._set(major=major, minor=minor)

    @classmethod
    def of(cls, text: str) -> "Minor":
        """Parses a minor that a person typed: `1.35`, `v1.35`, `1.35.2`. Raises BadInput for anything else."""
        return _minor_of(text)

    @classmethod
    def read(cls, text: str) -> "Minor | None":
        """Parses what a program reports: `v1.31.2-eks-94953ac`, `1.31+`, `1.31`; None when there is no minor in it."""
        match = _KUBERNETES.match(text.strip())
        return cls(int(match[1]), int(match[2])) if match else None

    @property
    def next(self) -> "Minor":
        return Minor(self.major, self.minor + 1)

    def up_to(self, last: "Minor") -> tuple["Minor", ...]:
        """The minors after this one up to `last`: a control plane is upgraded through each of them."""
        assert self.major == last.major, f"no way leads from {self} to {last}"
        return tuple(Minor(self.major, number) for number in range(self.minor + 1, last.minor + 1))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Minor) and (self.major, self.minor) == (other.major, other.minor)

    def __lt__(self, other: "Minor") -> bool:
        return (self.major, self.minor) < (other.major, other.minor)

    def __hash__(self) -> int:
        return hash((self.major, self.minor))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    def __reduce__(self) -> tuple[Any, ...]:
        return Minor, (self.major, self.minor)


# Programs print a patch level and a suffix; people paste them.
_WRITTEN = re.compile(r"v?(\d{1,2})\.(\d{1,3})(?:\.\d{1,4}(?:[-+][0-9A-Za-z.+-]{1,60})?)?")


@lru_cache(maxsize=256)
def _minor_of(text: str) -> Minor:
    match = _WRITTEN.fullmatch(text.strip())
    if match is None or int(match[2]) > _MINOR_MAX:
        raise BadInput(f"{text[:40]!r} is not a Kubernetes version", "Give major and minor, such as 1.35.")
    return Minor(int(match[1]), int(match[2]))
