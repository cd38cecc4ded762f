"""The time of this machine. See ports.Clock."""

from datetime import UTC, datetime


class SystemClock:
    """Asks the operating system."""

    def now(self) -> datetime:
        return datetime.now(UTC)
