"""What became of the files that were read, in words: one line for all of them, and where something stands."""

import re
from collections.abc import Iterator, Mapping, Sequence

from addonctl.model import Gap, GapReason, Intake, Place, Renderer, Unrendered
from addonctl.render.screen import counted

# How many kinds, and how many folders to render, are named in one line.
_SHOWN_MAX = 4
LOST_SHOWN = 20
"""How many lost documents a screen names; all of them are in JSON, SARIF and JUnit."""
# Kinds that declare what another program installs: they are worth naming, however few they are.
_DECLARING = ("HelmRelease", "Application", "ApplicationSet", "Kustomization")


def is_lost(gap: Gap) -> bool:
    """Whether it is a document that was meant as an object and could not be read."""
    return gap.reason is GapReason.BROKEN and gap.place is not None


def where(place: Place) -> str:
    """`bundle.tgz: pods.yaml:14 (document 2)`."""
    return f"{place} (document {place.document})" if place.document else str(place)


def gap_detail(gap: Gap) -> str:
    """Why something is missing, and where it stands."""
    return f"{where(gap.place)}: {gap.detail}" if gap.place is not None else gap.detail


def places(found: Sequence[Place]) -> str:
    """The first place, and how many more there are."""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0]}{more}" if found else ""


def summary(intake: Intake, gaps: Sequence[Gap]) -> str:
    """`439 files: 479 objects, 68 of them HelmReleases; 12 Helm templates (…); 3 documents lost`."""
    parts = [f"{counted(intake.files, 'file')}: {', '.join(_read(intake))}", *_unrendered(intake.unrendered)]
    if intake.modules:
        used = sum(intake.modules.values())
        parts.append(f"{counted(used, 'Terraform module')} ({_counts(intake.modules, '×')})")
    if intake.not_kubernetes:
        parts.append(f"not Kubernetes: {_counts(intake.not_kubernetes)}")
    if intake.passed_over:
        parts.append(f"passed over: {_counts(intake.passed_over)}")
    if intake.fields_lost:
        parts.append(f"{counted(intake.fields_lost, 'field')} could not be read")
    lost = sum(map(is_lost, gaps))
    return "; ".join((*parts, f"{counted(lost, 'document')} lost"))


def _read(intake: Intake) -> Iterator[str]:
    yield counted(intake.objects, "object")
    for kind in _DECLARING:
        if intake.kinds.get(kind):
            yield counted(intake.kinds[kind], kind)
    if intake.answers:
        yield f"{counted(intake.answers, 'answer')} of AWS or Helm"


def _unrendered(found: Sequence[Unrendered]) -> Iterator[str]:
    for renderer, one, many, how in _HOW:
        mine = [each for each in found if each.renderer is renderer]
        if mine:
            folder = mine[0].folder if len(mine) == 1 else "FOLDER"
            count = sum(each.count for each in mine)
            yield f"{count} {one if count == 1 else many} ({how.format(folder)})"


_HOW = (
    (Renderer.HELM, "Helm template", "Helm templates", "render: helm template {} | addonctl … -f -"),
    (Renderer.KUSTOMIZE, "kustomization to build", "kustomizations to build", "kubectl kustomize {} | addonctl … -f -"),
    (Renderer.OTHER, "other template", "other templates", "give what is made of them"),
)


_HEAD = re.compile(r"^(.*?)(?:(ch)e)?s(?=$| of | in | that )")


def _one(what: str) -> str:
    """The singular: `patch of kustomizations`, `file that is neither YAML nor JSON`."""
    return _HEAD.sub(r"\1\2", what).replace(" that are ", " that is ", 1)


def _counts(counts: Mapping[str, int], times: str = "") -> str:
    """What is counted, in words; with `times` between, by its name."""
    if times:
        named = [f"{number}{times} {what}" if number > 1 else what for what, number in counts.items()]
    else:
        named = [f"{number} {what if number != 1 else _one(what)}" for what, number in counts.items()]
    more = [f"{sum(list(counts.values())[_SHOWN_MAX:])} more"] if len(named) > _SHOWN_MAX else []
    return ", ".join((*named[:_SHOWN_MAX], *more))
