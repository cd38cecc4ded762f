"""Which versions there are for an installation, and those on the way to one."""

from collections.abc import Iterator
from dataclasses import dataclass

from addonctl.catalog import Answer, EksAddonVersions
from addonctl.errors import BadInput
from addonctl.model import Installation, owners
from addonctl.model.plan import OpenQuestion
from addonctl.plan.case import Case
from addonctl.versions import Minor, Version

DEFAULT, LATEST = "default", "latest-compatible"


@dataclass(frozen=True, slots=True)
class Move:
    """An installation has to change while Kubernetes `at` runs; to None: a version that a person chooses."""

    at: Minor
    to: Version | None


def needed_move(case: Case, row: Installation, running: Minor, minor: Minor) -> Move | OpenQuestion | None:
    """What an installation needs before, or right after, the control plane gets to `minor`; None: nothing."""
    if isinstance(row.owner, owners.AwsManaged):
        return None
    if row.version is None:
        return OpenQuestion(
            installation=row.id,
            kubernetes=minor,
            reason=f"its version is unknown: {row.version_unknown_reason}",
        )
    cell = case.catalog.check(row.eks_addon or row.addon, row.version, minor)
    if cell.answer is Answer.YES:
        return None
    if cell.answer is Answer.UNKNOWN or isinstance(row.owner, owners.Undetermined):
        published, no = case.catalog.published_for(row.addon, minor), cell.answer is Answer.NO
        return OpenQuestion(
            installation=row.id, kubernetes=minor, reason=cell.reason, unsupported=no, published=published
        )
    listed = case.listed(row)
    if listed is None:
        return Move(running, None)
    both = [v for v in listed.offered(running) if case.catalog.check(listed.name, v, minor).answer is Answer.YES]
    if both:
        return Move(running, listed.preferred(both, minor))
    later = listed.offered(minor)
    if later:
        return Move(minor, listed.preferred(later, minor))
    none = f"AWS offers no {listed.name} for it"
    return OpenQuestion(installation=row.id, kubernetes=minor, reason=none, unsupported=True)


def version_asked_for(case: Case, row: Installation, to: str, kubernetes: Minor) -> Version | None:
    """The version that a person asked for. Raises BadInput where it is not offered, or nobody knows of any."""
    listed = case.listed(row)
    if listed is None:
        if to in (DEFAULT, LATEST):
            raise BadInput(f"No table says which versions of {row.addon} there are", "Name one with --to.")
        return Version.of(to)
    return offered_version(listed, to, kubernetes) or row.version


def offered_version(listed: EksAddonVersions, to: str, kubernetes: Minor) -> Version | None:
    """A version that AWS offers, by its name or as the default or newest; of these None where there is none."""
    fit = listed.offered(kubernetes)
    if to == LATEST:
        return max(fit, default=None)
    if to == DEFAULT:
        return listed.preferred(fit, kubernetes)
    wanted = Version.of(to)
    if wanted not in fit:
        newest = ", ".join(map(str, sorted(fit, reverse=True)[:3])) or "none"
        raise BadInput(f"AWS offers no {listed.name} {to} for Kubernetes {kubernetes}", f"The newest: {newest}.")
    return next(version for version in fit if version == wanted)


def stops(
    case: Case, row: Installation, listed: EksAddonVersions, was: Version, goal: Version, kubernetes: Minor
) -> Iterator[Version]:
    """The versions on the way to `goal`, it included: one a minor that is offered, where it moves one at a time."""
    if _one_minor_at_a_time(case, row):
        for minor in _between(was, goal):
            fit = [version for version in listed.offered(kubernetes) if version.minor == minor]
            yield from [max(fit)] if fit else []
    yield goal


def skipped(case: Case, row: Installation, was: Version, to: Version) -> tuple[str, ...]:
    """The minors that a step leaps over though the add-on is to move one at a time: AWS no longer offers them."""
    if not _one_minor_at_a_time(case, row):
        return ()
    return tuple(f"{major}.{minor}" for major, minor in _between(was, to))


def _one_minor_at_a_time(case: Case, row: Installation) -> bool:
    addon = case.addon(row)
    return addon is not None and addon.one_minor_at_a_time


def _between(was: Version, goal: Version) -> Iterator[tuple[int, int]]:
    """The minors between two versions of one major, neither of theirs included, in the direction of the goal."""
    (major, first), (other, last) = was.minor, goal.minor
    if major == other:
        yield from ((major, minor) for minor in range(first, last, 1 if last > first else -1) if minor != first)
