"""What counts requests and failures while an add-on is updated: ports.Signals of a live cluster.

`dns`: dns.py; `metrics`: polling.py; `admission`: by dry runs in polling.py, pod by pod in reviews.py; `resources`:
resources.py; `service-network` and `pod-network`: nodes.py, by what pods say that the executor has placed. Threads ask,
few of them; `counted` only reads what they counted. Nothing is stored in the cluster: objects are created as dry runs
only.

A webhook whose failurePolicy is Ignore hides that it fails: the API server goes on without it, and tells nobody. A dry
run tells nothing of it, nor of one with conditions of its own or that selects nothing of what can be tried. Its pods
are sent reviews all the same, and counted one by one.

Beside the probes, counters.py reads what counters in Prometheus say.
"""

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime

from addonctl.adapters.api_connection import Connection
from addonctl.adapters.api_objects import ApiObjects
from addonctl.adapters.signals.dns import DnsProbing
from addonctl.adapters.signals.nodes import NodeProbing
from addonctl.adapters.signals.polling import AdmissionPolling, MetricsPolling
from addonctl.adapters.signals.resources import ResourcePolling
from addonctl.adapters.signals.reviews import ReviewProbing
from addonctl.adapters.signals.tally import Tally
from addonctl.adapters.signals.targets import Targets
from addonctl.model import POD_NETWORK, RESOURCES, SERVICE_NETWORK, Answered
from addonctl.model.plan import Step
from addonctl.ports import Signals

# An answer that comes later is of no use to those who asked, and threads end as soon.
_TIMEOUT_S = 1.5
_CLOSED_S = 2.0
# Half of it goes to new pods: one that fails a fifth of its queries is told from two others in some 8 s.
_RATE = 20.0
# The API server passes these requests on, or converts for them: more would burden it.
_METRICS_RATE, _ADMISSION_RATE, _RESOURCES_RATE = 5.0, 5.0, 2.0


@dataclass
class _Probing:
    """The threads that ask for one step."""

    step: Step
    connection: Connection
    rate: float
    direct: bool | None
    tally: Tally = field(default_factory=Tally)
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        wanted = {objective.sli for objective in self.step.objectives}
        self._threads = [make(self) for slis, make in _PROBINGS if wanted & slis]
        for thread in self._threads:
            thread.start()

    @property
    def targets(self) -> Targets:
        return Targets(ApiObjects(self.connection), self.step)

    def end(self) -> None:
        until = time.monotonic() + _CLOSED_S
        self.ended.set()
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))


def _dns(p: _Probing) -> threading.Thread:
    return DnsProbing(p.targets, p.connection, p.tally, p.rate, p.ended, direct=p.direct)


def _metrics(p: _Probing) -> threading.Thread:
    return MetricsPolling("metrics", p.connection, p.tally, min(p.rate, _METRICS_RATE), p.ended, p.targets)


def _admission(p: _Probing) -> threading.Thread:
    return AdmissionPolling("admission", p.connection, p.tally, min(p.rate, _ADMISSION_RATE), p.ended, p.targets)


def _reviews(p: _Probing) -> threading.Thread:
    return ReviewProbing(p.targets, p.connection, p.tally, min(p.rate, _ADMISSION_RATE), p.ended)


def _resources(p: _Probing) -> threading.Thread:
    return ResourcePolling(RESOURCES, p.connection, p.tally, min(p.rate, _RESOURCES_RATE), p.ended, p.targets)


def _nodes(p: _Probing) -> threading.Thread:
    return NodeProbing(p.targets, p.tally, p.ended)


_PROBINGS = (
    ({"dns"}, _dns),
    ({"metrics"}, _metrics),
    ({"admission"}, _admission),
    ({"admission"}, _reviews),
    ({RESOURCES}, _resources),
    ({SERVICE_NETWORK, POD_NETWORK}, _nodes),
)
"""What asks for SLIs, by their names in objectives."""


class ProbeSignals:
    """See ports.Signals. One step is probed at a time: asking for another ends the probing of the last.

    `rate`: requests a second of each SLI, over all pods; metrics and admission are asked less often. `direct`: pods are
    asked at their addresses, or never; None: if they can be reached.
    """

    def __init__(self, connection: Connection, rate: float = _RATE, *, direct: bool | None = None) -> None:
        assert 0 < rate <= _RATE, f"more than 20 requests a second are a load, not a probe: {rate}"
        self._connection, self._rate, self._direct = connection, rate, direct
        self._lock = threading.Lock()
        self._probing: _Probing | None = None

    def counted(self, step: Step, since: datetime) -> tuple[Answered, ...]:
        with self._lock:
            if self._probing is None or self._probing.step != step:
                if self._probing is not None:
                    self._probing.ended.set()
                connection = self._connection.impatient(_TIMEOUT_S)
                self._probing = _Probing(step, connection, self._rate, self._direct)
            return self._probing.tally.after(since.timestamp())

    def close(self) -> None:
        with self._lock:
            probing, self._probing = self._probing, None
        if probing is not None:
            probing.end()


class Together:
    """See ports.Signals: what several count, each SLIs of its own."""

    def __init__(self, *signals: Signals) -> None:
        self._signals = signals

    def counted(self, step: Step, since: datetime) -> tuple[Answered, ...]:
        return tuple(answered for each in self._signals for answered in each.counted(step, since))

    def close(self) -> None:
        for each in self._signals:
            each.close()
