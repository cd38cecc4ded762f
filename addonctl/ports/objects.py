"""Objects of one cluster, to the letter: read, watched, changed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, Self

from addonctl.model import ObjectRef, live


class Watch(Protocol):
    """What happens to the objects of a kind, in order, until it is closed. One thread iterates."""

    def __iter__(self) -> Iterator[live.WatchEvent]: ...

    def close(self) -> None:
        """Ends the iteration, from any thread, within seconds. Closing twice is not an error."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class ObjectReader(Protocol):
    """Any kind of object that the server serves, built in or custom."""

    def get(self, ref: ObjectRef, version: str = "") -> live.Object:
        """The object, in `version` of its API or the one that the server prefers.

        Raises NotFound where it is not, NotServed where there is no such kind.
        """
        ...

    def list(self, kind: live.Kind, namespace: str = "", labels: str = "") -> live.Listing:
        """All objects of a kind as of one moment; `namespace` empty: of all, `labels`: a selector as kubectl takes it.

        Raises NotServed where there is no such kind, Expired when the list grew too old between its pages, each time.
        """
        ...

    def watch(self, kind: live.Kind, namespace: str = "", labels: str = "", since: live.Listing | None = None) -> Watch:
        """What happens after `since`; None begins with everything that is there, as Added.

        Lost connections are renewed where they broke off. When the server no longer has the past (410), everything is
        listed again and what changed meanwhile is told: no object is told twice in the same state, and one that is
        gone is told as Deleted. Raises NotServed when the kind goes away, what is no matter of time (NotAllowed), and
        what has not been for minutes (NotReachable).
        """
        ...


class ObjectWriter(Protocol):
    """Changes of single objects. `dry_run` goes through admission and all checks, and stores nothing."""

    def apply(
        self,
        document: Mapping[str, Any],
        *,
        manager: str = live.FIELD_MANAGER,
        force: bool = False,
        dry_run: bool = False,
    ) -> live.Object:
        """The object after a server-side apply of `document` in the name of `manager`. Applying twice changes nothing.

        Raises Conflict when another manager owns a field that the document sets otherwise, unless `force`; its causes
        name each field (`field`) and manager (in `message`). Also with resourceVersion or uid in the document: Conflict
        when the object has others. Raises Invalid when the document is refused, NotServed where there is no such kind.
        """
        ...

    def patch(
        self,
        ref: ObjectRef,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        form: live.PatchForm = live.PatchForm.MERGE,
        uid: str = "",
        resource_version: str = "",
        subresource: str = "",
        dry_run: bool = False,
    ) -> live.Object:
        """The object after the patch; a merge patch is a mapping, a JSON patch a sequence of operations.

        Raises Conflict when `uid` or `resource_version` are given and the object has others, NotFound, Invalid (a
        failed `test` of a JSON patch included).
        """
        ...

    def delete(
        self,
        ref: ObjectRef,
        *,
        propagation: live.Propagation = live.Propagation.BACKGROUND,
        uid: str = "",
        resource_version: str = "",
        dry_run: bool = False,
    ) -> None:
        """Asks for the object's end; finalizers may hold it, so its end is seen by reading. No such object: no error.

        Raises Conflict when `uid` or `resource_version` are given and the object has others.
        """
        ...

    def evict(self, pod: ObjectRef, *, dry_run: bool = False) -> None:
        """Asks for a pod's end as a drain does. No such pod: no error.

        Raises TooManyRequests while a PodDisruptionBudget forbids it: at once, for when to try again is the caller's
        decision, and with the cause DisruptionBudget, which tells it from throttling. Raises Unavailable when several
        budgets select the pod, which no waiting cures.
        """
        ...
