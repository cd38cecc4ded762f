"""Parses container image references, and matches them against the paths in the catalog.

The registry host is ignored: mirrors and pull-through caches serve the same images under other hosts and prefixes.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

_HOST = re.compile(r"(localhost|[^/]*[.:][^/]*)/")
_TAG = re.compile(r":([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$")
_KO_HASH = re.compile(r"-[0-9a-f]{32}$")  # ko names an image after its import path's md5
_FLATTENED = str.maketrans("/_.", "---")


@dataclass(frozen=True, slots=True)
class Image:
    """An image reference: host (may be empty), repository path, tag and digest (None where absent)."""

    host: str
    path: str
    tag: str | None
    digest: str | None


@lru_cache(maxsize=16384)
def parse(reference: str) -> Image:
    """Parses any text; what is not an image reference (such as `auto`) becomes a path without a tag."""
    rest, _, digest = reference.strip().partition("@")
    tag_match = _TAG.search(rest)
    tag = tag_match[1] if tag_match else None
    if tag_match:
        rest = rest[: tag_match.start()]
    host_match = _HOST.match(rest)
    host = host_match[1] if host_match else ""
    return Image(host, rest[len(host_match[0]) if host_match else 0 :], tag, digest or None)


def path_matches(path: str, suffix: str) -> bool:
    """Whether the last components of repository path `path` are those of `suffix`.

    A mirror that flattens paths (`mirrored-coredns-coredns`, `quay.io_jetstack_cert-manager-webhook`)
    matches a suffix of two components or more.
    """
    bare = _KO_HASH.sub("", path)
    if bare == suffix or bare.endswith("/" + suffix):
        return True
    if "/" not in suffix:
        return False
    flat, wanted = bare.translate(_FLATTENED), suffix.translate(_FLATTENED)
    return flat.endswith("-" + wanted) or flat == wanted


def last_word(path: str) -> str:
    """The last word of a repository path, shared by all paths that match it: usable as an index key."""
    return _KO_HASH.sub("", path).translate(_FLATTENED).rpartition("-")[2]
