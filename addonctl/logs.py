"""The last lines of containers of add-ons that are not ready: which to read, and where they go.

What ends a container often stands in its log alone. The lines are judged as its last words are, and shown; a saved
snapshot never holds them. Called by manager.py where they are asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from addonctl.model import CRASHING, ContainerStatus, Gap, Inventory, ObjectRef, Pod, Snapshot, View

CONTAINERS_MAX = 20
"""One of each workload is read first: replicas say the same."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A container whose last lines are wanted; `previous`: of its last run, since this one has just begun."""

    pod: ObjectRef
    container: str
    previous: bool = False


def wanted(view: View, inventory: Inventory) -> tuple[Wanted, ...]:
    """The containers to read, of the add-ons' pods that are not ready and left no words."""
    found = [each for row in inventory.installations for ref in row.workloads for each in _of_workload(view, ref)]
    return tuple(dict.fromkeys(found))[:CONTAINERS_MAX]


def _of_workload(view: View, workload: ObjectRef) -> Iterator[Wanted]:
    """Of the first pod that has such a container."""
    for pod in view.pods.get(workload, ()):
        mute = () if pod.ready or pod.deleting else [each for each in pod.containers if _has_run(each)]
        if mute:
            yield from (Wanted(pod.ref, each.name, previous=each.waiting == CRASHING) for each in mute)
            return


def _has_run(container: ContainerStatus) -> bool:
    """Whether it is not ready, wrote no last words, and has a log."""
    return not container.ready and not container.last_words and container.waiting in ("", CRASHING)


def with_lines(snapshot: Snapshot, lines: Mapping[Wanted, str], gaps: tuple[Gap, ...] = ()) -> Snapshot:
    """The snapshot with what was read as the last words of the containers, and with what could not be read."""
    by_pod: dict[ObjectRef, dict[str, str]] = {}
    for each, text in lines.items():
        by_pod.setdefault(each.pod, {})[each.container] = text
    pods = tuple(_with_words(pod, by_pod.get(pod.ref, {})) for pod in snapshot.pods)
    return replace(snapshot, pods=pods, gaps=(*snapshot.gaps, *gaps))


def _with_words(pod: Pod, words: Mapping[str, str]) -> Pod:
    if not words:
        return pod
    containers = (replace(each, last_words=words.get(each.name) or each.last_words) for each in pod.containers)
    return replace(pod, containers=tuple(containers))
