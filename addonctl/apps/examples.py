"""What the help of each command shows below its options: lines to try, and what holds for all of them.

Every line is tried by a test, and a command without one fails it.
"""

import click

from addonctl.apps import everywhere

_ALL = """\b
Examples:
{examples}
\b
Exit codes:
  0 clean or done, 1 error, 2 findings at or above --fail-on, 3 refused or not
  recommended, 4 rolled back, 5 stuck, 130 interrupted
\b
Environment:
  KUBECONFIG, AWS_PROFILE, AWS_REGION and what else their clients read
  ADDONCTL_CONFIG     settings: waivers, windows, notices, defaults
  ADDONCTL_CONTEXT    a default of --context; other options have theirs
  ADDONCTL_STATE_DIR  where runs and checkpoints are kept
  ADDONCTL_DATABASE   a PostgreSQL URL: runs are kept there instead
  ADDONCTL_KEY_FILE   a key that encrypts checkpoints
  ADDONCTL_CACHE_DIR  where `catalog refresh` and `prices refresh` keep tables
  ADDONCTL_DEBUG      1 shows the trace of a bug, as --debug does
  NO_COLOR            no colors on a terminal"""

EXAMPLES = {
    "": """
        analyze --demo
        analyze --context prod-eu-1
        findings -f manifests/ --kubernetes 1.34 --fail-on required""",
    "analyze": """
        analyze --context prod-eu-1
        analyze --eks prod-eu-1 --region eu-central-1 --target 1.36
        analyze --context prod-eu-1 -o html -O report.html
        analyze --context prod-eu-1 -o wide -o sarif=found.sarif""",
    "inventory": """
        inventory --context prod-eu-1 -o wide
        kubectl get deploy,ds,sts,crd -A -o json | addonctl inventory -f -""",
    "findings": """
        findings --context prod-eu-1 --only required
        findings --context prod-eu-1 -o 'jsonpath={.findings[*].code}'
        findings --snapshot today.snap --since yesterday.snap
        findings -f k8s/ --kubernetes 1.34 --only API --fail-on required""",
    "findings explain": """
        findings explain HLT001""",
    "health": """
        health --context prod-eu-1 --probe
        health --context prod-eu-1 --only coredns -o wide""",
    "compat": """
        compat --context prod-eu-1 --target 1.36""",
    "matrix": """
        matrix --context prod-eu-1
        matrix coredns vpc-cni --target 1.36""",
    "deps": """
        deps coredns --context prod-eu-1
        deps --context prod-eu-1 -o dot | dot -Tsvg > deps.svg""",
    "usage": """
        usage --context prod-eu-1
        usage coredns --context prod-eu-1 --window 7d -o wide""",
    "rightsize": """
        rightsize --context prod-eu-1
        rightsize coredns --context prod-eu-1 --risk low --window 28d""",
    "opportunities": """
        opportunities --context prod-eu-1
        opportunities --snapshot prod-eu-1.snap -o csv
        opportunities coredns --context prod-eu-1 --window 14d""",
    "cost": """
        cost --context prod-eu-1
        cost --context prod-eu-1 --window 7d
        cost --context prod-eu-1 --by namespace -o csv
        cost --context prod-eu-1 --bill cur-2026-10.csv.gz""",
    "cost explain": """
        cost explain coredns --context prod-eu-1""",
    "cost of": """
        helm template falcosecurity/falco | addonctl cost of -f - --demo
        cost of -f manifests/ --context prod-eu-1""",
    "cost record": """
        cost record --context prod-eu-1""",
    "cost forecast": """
        cost forecast prod-eu-1 --kubernetes 1.34""",
    "dashboard": """
        dashboard --context prod-eu-1
        dashboard --context prod-eu-1 --window 7d --watch
        dashboard --demo -o html -O dashboard.html""",
    "cost diff": """
        cost diff yesterday.snap today.snap""",
    "plan": """
        plan coredns --to latest-compatible --context prod-eu-1
        plan coredns --set replicaCount=3 --context prod-eu-1
        plan coredns --to default -o json > plan.json
        plan --target 1.36 --context prod-eu-1
        plan coredns --to default --snapshot prod-eu-1.json.gz --rehearse""",
    "upgrade-report": """
        upgrade-report --context prod-eu-1 --target 1.36
        upgrade-report --eks prod-eu-1 -o markdown -O upgrade.md
        upgrade-report --snapshot prod-eu-1.json.gz -o html -O upgrade.html""",
    "update": """
        update coredns --to default --context prod-eu-1 --dry-run
        update coredns --to default --context prod-eu-1 --rehearse
        update coredns --to v1.13.2-eksbuild.21 --context prod-eu-1
        update coredns --set replicaCount=3 --context prod-eu-1
        update --plan plan.json --context prod-eu-1
        update coredns --to latest-compatible --eks prod-eu-1 --yes -o json""",
    "create": """
        create metrics-server --eks prod-eu-1
        create coredns --adopt overwrite --context prod-eu-1 --dry-run""",
    "delete": """
        delete coredns --preserve --context prod-eu-1
        delete metrics-server --accept-risk PRE010 --context prod-eu-1""",
    "restore": """
        restore e3efa4f6f1c2 --context prod-eu-1""",
    "rollback": """
        rollback coredns-1126-0731-c8b5 --context prod-eu-1""",
    "runs": """
        runs
        runs coredns-1126-0731-c8b5 -o json""",
    "watch": """
        watch coredns-1126-0731-c8b5""",
    "approve": """
        approve coredns-1126-0731-c8b5""",
    "pause": """
        pause coredns-1126-0731-c8b5""",
    "resume": """
        resume coredns-1126-0731-c8b5 --context prod-eu-1""",
    "cancel": """
        cancel coredns-1126-0731-c8b5""",
    "checkpoint": """
        checkpoint create coredns --context prod-eu-1
        checkpoint list""",
    "checkpoint list": """
        checkpoint list""",
    "checkpoint create": """
        checkpoint create coredns --context prod-eu-1""",
    "checkpoint show": """
        checkpoint show e3efa4f6f1c2""",
    "checkpoint delete": """
        checkpoint delete e3efa4f6f1c2""",
    "checkpoint export": """
        checkpoint export checkpoints.tar""",
    "lifecycle": """
        lifecycle --context prod-eu-1
        lifecycle --context prod-eu-1 --target 1.36 -o wide""",
    "snapshot": """
        snapshot save today.snap --context prod-eu-1
        snapshot diff yesterday.snap today.snap""",
    "snapshot save": """
        snapshot save --context prod-eu-1
        snapshot save today.snap --eks prod-eu-1 --region eu-central-1""",
    "snapshot show": """
        snapshot show today.snap""",
    "snapshot diff": """
        snapshot diff yesterday.snap today.snap""",
    "catalog": """
        catalog show coredns
        catalog versions vpc-cni --kubernetes 1.35""",
    "catalog list": """
        catalog list""",
    "catalog show": """
        catalog show coredns""",
    "catalog versions": """
        catalog versions vpc-cni --kubernetes 1.35""",
    "catalog check": """
        catalog check coredns v1.12.4-eksbuild.18 --kubernetes 1.34
        echo coredns v1.12.4-eksbuild.18 1.34 | addonctl catalog check -""",
    "catalog refresh": """
        catalog refresh --region eu-central-1 --profile prod""",
    "prices": """
        prices refresh --region eu-central-1""",
    "prices refresh": """
        prices refresh --region eu-central-1 --profile prod""",
    "twin": """
        twin prod-eu-1.json.gz
        twin --demo -o json""",
    "simulate": """
        simulate --seed 7
        simulate --runs 500 --jobs 2
        simulate --runs 100 --incidents COREDNS-04 --faults none -o json""",
    "rbac": """
        rbac --cluster-role | kubectl apply -f -
        rbac --for update --cluster-role | kubectl apply -f -
        rbac --iam > policy.json""",
    "doctor": """
        doctor --context prod-eu-1
        doctor --snapshot prod-eu-1.snap
        doctor --eks prod-eu-1 --region eu-central-1""",
    "completion": """
        source <(addonctl completion bash)""",
    "version": """
        version -o json""",
    "help": """
        help findings explain""",
}


def lines_of(path: str) -> list[str]:
    """The examples of a command, as they are typed; `path` such as `catalog show`, empty for addonctl itself."""
    given = (line.strip() for line in EXAMPLES.get(path, "").strip().splitlines())
    return [line if "addonctl " in line else f"addonctl {line}" for line in given]


def attach(command: click.Command, path: str) -> None:
    """Gives a command its examples, and each command of a group its own."""
    command.epilog = f"\b\nExamples:\n{_indented(path)}\n\n{everywhere.HINT}"
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            attach(inner, f"{path} {name}")


def _indented(path: str) -> str:
    return "\n".join(f"  {line}" for line in lines_of(path))


OF_ALL = _ALL.format(examples=_indented(""))
"""What the help of addonctl itself shows: examples, exit codes and environment."""
