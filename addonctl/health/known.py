"""Which known issues of an add-on fit what is seen of it: the words of its containers, events and conditions.

Decided from the catalog's known issues, those of them that have a sign. Called by the checks of this package.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from addonctl.catalog import AddOn, KnownIssue, Kubernetes
from addonctl.model import Action, ContainerStatus, Evidence, Note
from addonctl.versions import Version


def fitting(
    addon: AddOn | None, version: Version | None, texts: Iterable[str], silent: Iterable[ContainerStatus] = ()
) -> list[KnownIssue]:
    """The known issues whose sign is in one of `texts`, or whose container is among those that ended without a word."""
    said, names = [text for text in texts if text], {container.name for container in silent}
    return [
        issue
        for issue in (addon.known_issues if addon else ())
        if (issue.versions is None or (version is not None and issue.versions.covers(version)))
        and ((issue.says and any(_pattern(issue.says).search(text) for text in said)) or issue.crashes in names - {""})
    ]


def general(kubernetes: Kubernetes, texts: Iterable[str]) -> list[KnownIssue]:
    """What may end a container of any add-on, as a known issue: the first that fits."""
    said = [text for text in texts if text]
    fits = (each for each in kubernetes.crash_causes if any(_pattern(each.says).search(text) for text in said))
    return [KnownIssue(what=each.what, fix=each.fix) for each in fits][:1]


@lru_cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def shown(addon: AddOn | None, issues: Iterable[KnownIssue]) -> Iterator[Evidence]:
    """The issues as evidence, each with its link."""
    for issue in issues:
        detail = f"known cause: {issue.what}" + (f" ({issue.url})" if issue.url else "")
        yield Evidence(kind="known-issue", subject=addon.id if addon else "", detail=detail)


def remedies(issues: Iterable[KnownIssue]) -> tuple[Action, ...]:
    """What helps against them."""
    return tuple(Note(f"{issue.fix[0].upper()}{issue.fix[1:]}.") for issue in issues if issue.fix)
