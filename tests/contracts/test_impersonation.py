"""Acting as another user, and what `doctor` says of that user, on a real API server."""

import json
from pathlib import Path

from tests.apps.terminal import in_process as run
from tests.contracts.conftest import Api


def as_guest(api: Api, folder: Path) -> str:
    """The same server for a user without any right."""
    config = json.loads(api.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "guest"}
    path = folder / "guest"
    path.write_text(json.dumps(config))
    return str(path)


def rows(*arguments: str) -> dict[str, dict[str, str]]:
    done = run("doctor", *arguments, "-o", "json")
    return {row["what"]: row for row in json.loads(done.stdout)["rows"]}


def test_an_administrator_may_list_everything_and_whom_it_acts_as_may_not(api: Api) -> None:
    own = rows("--kubeconfig", str(api.kubeconfig))
    assert own["Kubernetes user"]["detail"].startswith("admin, in system:masters")
    assert own["list secrets"]["answer"] == own["list deployments.apps"]["answer"] == "yes"
    other = rows("--kubeconfig", str(api.kubeconfig), "--as", "jane", "--as-group", "dev", "--as-group", "ops")
    assert other["Kubernetes user"]["detail"] == "jane, in dev, ops, system:authenticated"
    assert other["list secrets"]["answer"] == other["list deployments.apps"]["answer"] == "no"


def test_a_report_as_another_has_the_gaps_of_the_other(api: Api) -> None:
    own = json.loads(run("inventory", "--kubeconfig", str(api.kubeconfig), "-o", "json").stdout)
    other = json.loads(run("inventory", "--kubeconfig", str(api.kubeconfig), "--as", "jane", "-o", "json").stdout)
    assert "nodes" not in {gap["part"] for gap in own["gaps"]}
    assert {"nodes", "workloads"} <= {gap["part"] for gap in other["gaps"] if gap["reason"] == "forbidden"}


def test_who_may_not_impersonate_is_told_the_right_that_it_takes(api: Api, tmp_path: Path) -> None:
    done = run("inventory", "--kubeconfig", as_guest(api, tmp_path), "--as", "admin")
    assert done.returncode == 1
    assert 'User "guest" cannot impersonate' in done.stderr
    assert "Fix: Grant the verb impersonate on that, or leave out --as" in done.stderr
