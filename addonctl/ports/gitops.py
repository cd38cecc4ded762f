"""GitOps controllers of one cluster: told to leave their hands off, to take up again, to apply another revision."""

from typing import Protocol

from addonctl.model import live
from addonctl.model.owners import ArgoApplication, FluxHelmRelease


class GitOpsWriter(Protocol):
    """Changes of the objects that Argo CD and Flux work from.

    All raise NotFound, and Conflict where the change would not last: the object is itself kept by an ApplicationSet or
    by a GitOps controller, which is then to be changed instead, or somebody else changes it at the same moment.
    """

    def suspend(self, owner: live.Reconciled) -> live.Suspension:
        """Stops automatic synchronisation, and says what was there. One that is running is not waited for.

        Suspending what is suspended changes nothing; its Suspension then restores just that.
        """
        ...

    def resume(self, suspension: live.Suspension) -> None:
        """Restores exactly what `suspend` met. Resuming twice changes nothing.

        Raises Conflict when the object is another one of the same name, or somebody set the field otherwise meanwhile.
        """
        ...

    def set_revision(self, owner: ArgoApplication | FluxHelmRelease, revision: str, *, source: int = 0) -> str:
        """Sets an Application's targetRevision or a HelmRelease's chart version; what was there, for the way back.

        Empty is none: Argo CD's HEAD, Flux's newest. `source` counts an Application's sources. Raises Invalid where the
        object has no such source, or refers to a chart of its own object (`chartRef`).
        """
        ...
