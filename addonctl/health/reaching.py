"""Backends that are ready and still not reached by the API server: what is in the way, by the words of its error.

The path from the control plane to a pod has parts that no object in the cluster shows: security groups, network
policies, an overlay that the control plane does not know. Called by serving.py.
"""

import re

from addonctl.model import Action, Note

_Way = tuple[re.Pattern[str], str]

# The first that matches, with what it means where pods are ready. The words are those of Go's net and tls packages.
_WAYS: tuple[_Way, ...] = (
    (
        re.compile(r"x509|certificate|tls: ", re.IGNORECASE),
        "It is reached, but its certificate is not accepted: renew the CA bundle, or what injects it.",
    ),
    (
        # A webhook's URL ends in ?timeout=10s whatever became of the call.
        re.compile(r"deadline exceeded|(?<![?&])timeout|timed out|no route to host", re.IGNORECASE),
        "Its pods are ready, so the network is in the way: open the port of its pods from the control plane in the "
        "security group of the nodes, and look for a NetworkPolicy. On an overlay that the control plane is not part "
        "of, its pods have to use the host's network.",
    ),
    (
        re.compile(r"connection refused|connection reset|EOF", re.IGNORECASE),
        "Its pods are ready, but nothing listens where they are called: compare the Service's targetPort with the port "
        "that they serve at.",
    ),
    (
        re.compile(r"40[13]|[Ff]orbidden|[Uu]nauthorized"),
        "It is reached, but refuses the API server: bind its ServiceAccount to system:auth-delegator again.",
    ),
)
_UNREACHED = re.compile(
    r"failed calling webhook|conversion webhook for .+ failed|no endpoints available|service \"[^\"]+\" not found"
)


def way_out(message: str) -> Action | None:
    """What to do where ready pods do not answer as `message` says; None where it says nothing of the path to them."""
    return next((Note(text) for pattern, text in _WAYS if pattern.search(message)), None)


def is_unanswered(message: str) -> bool:
    """Whether a message tells of a call without an answer; a webhook that denies a request has answered."""
    return bool(_UNREACHED.search(message)) and "denied the request" not in message
