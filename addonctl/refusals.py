"""What the API server refuses to an add-on's own account, as the logs of its pods tell.

Where a version's role lacks a right, its controllers are ready all the same: they list and watch again and again what
they may not, and what they keep up stands still. Nobody but they and the API server know of it, and they write down
what it says, in its own words. Pure; the logs are read by adapters/refusal_reader.py beside an update.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from addonctl.findings import CHECKS
from addonctl.model import Guard, ObjectRef

# A role may come moments after the pods that need it; whoever is refused for longer than this lacks it.
LASTING = timedelta(seconds=10)
_CODE = "DEP005"
# The words of Kubernetes' authorizer: a log may have them within a text of its own, with its quotes escaped.
_REFUSED = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\S* .*"
    r'User \\*"system:serviceaccount:(?P<namespace>[^:"\\]+):(?P<name>[^:"\\]+)\\*" '
    r'cannot (?P<verb>[a-z]+) resource \\*"(?P<resource>[^"\\]+)\\*" in API group \\*"(?P<group>[^"\\]*)\\*"'
)


def lasting(log: str, account: ObjectRef) -> Iterator[Guard]:
    """One for each right that is refused to the account and was so before; each line begins with its time (RFC 3339).

    The subject is the account and the right, not the pod: pods that are replaced are refused the same.
    """
    first: dict[str, datetime] = {}
    told: set[str] = set()
    for at, right in _refused(log.splitlines(), account):
        if at - first.setdefault(right, at) >= LASTING and right not in told:
            told.add(right)
            yield Guard(code=_CODE, subject=f"{account}: {right}", detail=CHECKS[_CODE].title, ref=account)


def _refused(lines: Iterable[str], account: ObjectRef) -> Iterator[tuple[datetime, str]]:
    for line in lines:
        found = _REFUSED.match(line)
        if found and (found["namespace"], found["name"]) == (account.namespace, account.name):
            yield (
                datetime.fromisoformat(found["at"]),
                f"{found['verb']} {found['resource']}.{found['group']}".rstrip("."),
            )
