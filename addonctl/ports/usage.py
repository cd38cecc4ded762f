"""What containers used, from whatever keeps metrics of a cluster."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from addonctl.model.usage import Metrics


class Usage(Protocol):
    """Metrics of one cluster."""

    def of(self, containers: Iterable[tuple[str, str]], end: datetime, window: timedelta) -> Metrics:
        """What the containers of these names (namespace, container) used from `end` - `window` to `end`.

        Pods that are gone are among them. Aggregations are computed where the metrics are; what of it could not be read
        is a gap. Raises BadInput when the source holds several clusters and cannot tell this one.
        """
        ...
