"""ports.Assessor in virtual time: of a whole cluster's troubles, those that the world can have, nodes not ready."""

from addonctl.model import Guard
from addonctl.model.plan import Step
from addonctl.sim.controllers.nodes import NODE
from addonctl.sim.store import Store

_EVERY_S = 15


class SimAssessor:
    """What was wrong at two assessments in a row, made as far apart as a real one's, whenever a run asks."""

    def __init__(self, store: Store) -> None:
        self._store, self._assessed = store, 0
        self._last: tuple[Guard, ...] | None = None
        self._lasting: tuple[Guard, ...] | None = None

    def troubles(self, _step: Step) -> tuple[Guard, ...] | None:
        now = self._store.world.micros
        if self._last is None or now - self._assessed >= _EVERY_S * 1_000_000:
            found = tuple(
                Guard(
                    code="HLT021",
                    subject=str(node.ref),
                    detail="A node is not ready",
                    ref=node.ref,
                    nodes=(node.name[1],),
                )
                for node in self._store.rows(NODE)
                if not node.is_ready
            )
            if self._last is not None:
                self._lasting = tuple(each for each in found if each in self._last)
            self._last, self._assessed = found, now
        return self._lasting

    def close(self) -> None:
        self._last = self._lasting = None
