"""Which source and prober serve which options: what is probed is what is read, and no option is dropped."""

from pathlib import Path

import pytest

import addonctl
from addonctl.adapters.clock import SystemClock
from addonctl.adapters.sources.live import LiveCluster
from addonctl.apps import wiring
from addonctl.errors import BadInput
from addonctl.model import Inventory, View
from tests.builders import snapshot

CONTEXTS = """
current-context: prod-a
clusters:
- {name: prod-a, cluster: {server: "https://a.example"}}
- {name: prod-b, cluster: {server: "https://b.example"}}
contexts:
- {name: prod-a, context: {cluster: prod-a, user: me}}
- {name: prod-b, context: {cluster: prod-b, user: me}}
users:
- {name: me, user: {token: x}}
"""


def test_what_is_probed_is_the_cluster_that_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each asks over the connection of the cluster that was named, not over that of the current context."""
    config = tmp_path / "config"
    config.write_text(CONTEXTS)
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(
        "addonctl.adapters.api_reader.read", lambda connection, *_, **__: asked.append(("read", connection.server))
    )
    monkeypatch.setattr(
        "addonctl.adapters.probes.probe", lambda connection, *_: asked.append(("probe", connection.server))
    )
    monkeypatch.setattr(LiveCluster, "_with_aws", lambda _, read: read)
    manager = addonctl.open_manager(kubeconfig=str(config))
    named = manager._named("prod-b")  # as analyze_addon_ecosystem("prod-b") does
    named.source.snapshot()
    assert named.prober is not None
    named.prober.probe(View(snapshot()), Inventory(installations=()))
    assert asked == [("read", "https://b.example"), ("probe", "https://b.example")]


@pytest.mark.parametrize("source", [{"eks": "dev", "region": "eu-west-1"}, {"context": "dev"}, {"demo": True}])
def test_a_source_of_one_cluster_answers_for_no_other(source: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="'prod'"):
        addonctl.open_manager(**source).analyze_addon_ecosystem("prod")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("context", "cluster", "server", "place"),
    [
        ("me@dev.eu-west-1.eksctl.io", "x", "", ("eu-west-1", "dev")),
        ("mine", "dev.eu-west-1.eksctl.io", "", ("eu-west-1", "dev")),
        ("mine", "arn:aws:eks:eu-west-1:111122223333:cluster/dev", "", ("eu-west-1", "dev")),
        ("mine", "dev", "https://0A1B.gr7.eu-west-1.eks.amazonaws.com", ("eu-west-1", "dev")),
        ("mine", "dev", "https://dev.example", ("", "")),
    ],
)
def test_where_a_cluster_is_on_eks_is_told_by_context_entry_or_server(
    context: str, cluster: str, server: str, place: tuple[str, str]
) -> None:
    """A context may be renamed; eksctl's cluster entry keeps region and name."""
    assert LiveCluster(wiring.catalog(), SystemClock()).place(context, cluster, server) == place


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"ADDONCTL_STATE_DIR": "/a", "XDG_STATE_HOME": "/b"}, "/a"),
        ({"XDG_STATE_HOME": "/b"}, "/b/addonctl"),
        ({"ADDONCTL_STATE_DIR": "", "XDG_STATE_HOME": ""}, "/home/ana/.local/state/addonctl"),
    ],
)
def test_state_is_kept_where_the_user_says(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], folder: str
) -> None:
    for name in ("ADDONCTL_STATE_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/ana"} | environment).items():
        monkeypatch.setenv(name, value)
    assert wiring.state_dir() == Path(folder)


def test_runs_are_kept_in_a_file_of_the_state_folder_or_in_the_database_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADDONCTL_STATE_DIR", str(tmp_path / "state ?#"))
    monkeypatch.delenv("ADDONCTL_DATABASE", raising=False)
    journal = wiring.journal("a")
    assert journal.entries() == ()
    journal.close()
    assert (tmp_path / "state ?#" / "runs.db").is_file()
    monkeypatch.setenv("ADDONCTL_DATABASE", "mysql://ana:hunter2@db/runs")
    with pytest.raises(BadInput, match="not in mysql") as refused:
        wiring.journal("a")
    assert "hunter2" not in str(refused.value)
