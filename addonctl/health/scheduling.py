"""What helps a pod that the scheduler finds no node for, by what it says of the nodes. Called by pods.py."""

import re

from addonctl.model import Action, Note

# Parts of the scheduler's message, the first that matches most nodes counts. Source: kube-scheduler's plugins.
_HELP: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (
            r"untolerated taint(?!.*node\.kubernetes\.io/(not-ready|unreachable))",
            "Let it tolerate the taint that is named, or remove the taint.",
        ),
        (r"untolerated taint", "The nodes themselves are not ready: see the findings on them."),
        (r"volume node affinity conflict", "Its volume is in another zone: it needs a node there."),
        (r"exceed max volume count", "The nodes have as many volumes as they can: add nodes, or larger ones."),
        (r"free ports", "Another pod has the host port that it asks for: free it, or change one of them."),
        (
            r"node affinity|node selector",
            "No node has the labels that it selects: correct its nodeSelector or affinity, or label nodes.",
        ),
        (
            r"anti-affinity|topology spread",
            "Its replicas may not share a node or zone: add nodes there, or lower replicas.",
        ),
        (r"Too many pods", "The nodes have as many pods as their type allows: add nodes, or allow more pods on each."),
        (r"Insufficient", "Add nodes, or lower its requests."),
        (r"unschedulable", "The nodes are cordoned: uncordon one, or add nodes."),
    )
)
_NODES = re.compile(r"(\d+) (.+)")


def what_helps(message: str) -> tuple[Action, ...]:
    """By the reason that keeps it off most nodes; empty where the scheduler says none that is known."""
    said = message.partition("available: ")[2].partition(" preemption:")[0]
    parts = [found for part in said.split(", ") if (found := _NODES.match(part)) is not None]
    for part in (*(found[2] for found in sorted(parts, key=lambda found: -int(found[1]))), message):
        for pattern, text in _HELP:
            if pattern.search(part):
                return (Note(text),)
    return ()
