"""Objects of one cluster, losslessly: read, watched, changed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, Self

from addonctl.model import ObjectRef, live


class Watch(Protocol):
    """The changes of the objects of a kind, in order, until closed. One thread iterates."""

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

        Raises NotFound when it does not exist, NotServed when there is no such kind.
        """
        ...

    def list(self, kind: live.Kind, namespace: str = "", labels: str = "") -> live.Listing:
        """All objects of a kind as of one moment; empty `namespace`: all; `labels`: a selector in kubectl's syntax.

        Raises NotServed when there is no such kind, Expired when the list kept expiring between its pages.
        """
        ...

    def allowed(self, right: live.Right) -> bool:
        """Whether these credentials have a right, as the server says; asking takes none, and stores nothing.

        Raises NotServed when there is no such kind.
        """
        ...

    def watch(self, kind: live.Kind, namespace: str = "", labels: str = "", since: live.Listing | None = None) -> Watch:
        """The changes after `since`; None starts with every existing object, as Added.

        Lost connections are resumed where they broke off. When the server no longer has the history (410), everything
        is listed again and the differences are delivered: no object twice in the same state, and one that is gone as
        Deleted. Raises NotServed when the kind is removed, NotAllowed at once, and NotReachable after minutes without
        a connection.
        """
        ...


class ObjectWriter(Protocol):
    """Changes of single objects. `dry_run` runs admission and validation, and stores nothing."""

    def apply(
        self,
        document: Mapping[str, Any],
        *,
        manager: str = live.FIELD_MANAGER,
        force: bool = False,
        dry_run: bool = False,
    ) -> live.Object:
        """The object after a server-side apply of `document` by `manager`. Applying twice changes nothing.

        Raises Conflict when another manager owns a field that the document sets differently, unless `force`; its causes
        name each field (`field`) and manager (in `message`). Also raises Conflict when the document has a
        resourceVersion or uid that the object does not. Raises Invalid when the document is rejected, NotServed when
        there is no such kind.
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

        Raises Conflict when the object does not have the given `uid` or `resource_version`, NotFound, Invalid (also
        for a failed `test` of a JSON patch).
        """
        ...

    def disown(self, ref: ObjectRef) -> None:
        """Gives up what our patches own of an object: its fields stay as they are, and are nobody's of ours.

        What we applied stays ours. Disowning twice changes nothing. Raises NotFound, and Conflict where somebody else
        writes the object all the time.
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
        """Requests deletion; finalizers may delay it, so read to see when it is gone.

        Not an error if the object does not exist. Raises Conflict when it does not have the given `uid` or
        `resource_version`.
        """
        ...

    def evict(self, pod: ObjectRef, *, dry_run: bool = False) -> None:
        """Evicts a pod as a drain does. Not an error if it does not exist.

        Raises TooManyRequests while a PodDisruptionBudget forbids it: at once, since when to retry is the caller's
        decision, and with the cause DisruptionBudget, which distinguishes it from throttling. Raises Unavailable when
        several budgets select the pod, which waiting does not change.
        """
        ...
