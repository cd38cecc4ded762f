"""Whether a configuration matches a JSON schema."""

from typing import Protocol

from addonctl.model.preflight import Violation


class Schemas(Protocol):
    """JSON Schema, in whichever draft a schema names."""

    def violations(self, schema: str, configuration: str) -> tuple[Violation, ...]:
        """Where `configuration` (JSON or YAML; empty: no settings) does not match `schema` (JSON); none: it does.

        No violation quotes a value. Raises Broken when `schema` is none.
        """
        ...
