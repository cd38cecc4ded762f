"""GitOps controllers of one cluster: suspend, resume, and set the revision to apply."""

from typing import Protocol

from addonctl.model import live
from addonctl.model.owners import ArgoApplication, FluxHelmRelease


class GitOpsWriter(Protocol):
    """Changes of the objects that Argo CD and Flux work from.

    All raise NotFound, and Conflict when the change would not last: the object is itself managed by an ApplicationSet
    or a GitOps controller, which must be changed instead, or something else changes it at the same moment.
    """

    def suspend(self, owner: live.Reconciled) -> live.Suspension:
        """Stops automatic synchronisation, and returns the previous setting. Does not wait for a running one.

        Suspending twice changes nothing; the second Suspension restores the suspended state.
        """
        ...

    def resume(self, suspension: live.Suspension) -> None:
        """Restores exactly what `suspend` found. Resuming twice changes nothing.

        Raises Conflict when the object was recreated under the same name, or the field was changed in the meantime.
        """
        ...

    def set_revision(self, owner: ArgoApplication | FluxHelmRelease, revision: str, *, source: int = 0) -> str:
        """Sets an Application's targetRevision or a HelmRelease's chart version; returns the previous one.

        Empty means unset: HEAD for Argo CD, the newest for Flux. `source` is the index of an Application's source.
        Raises Invalid when the object has no such source, or refers to a separate chart object (`chartRef`).
        """
        ...
