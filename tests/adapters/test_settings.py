"""The settings file: what it says is taken at its word; what cannot be meant is refused by file and field."""

from datetime import date
from pathlib import Path

import pytest

from addonctl.adapters.config_file import Settings, default_path, load
from addonctl.errors import BadInput
from addonctl.waivers import Waiver


def written(folder: Path, text: str | bytes) -> str:
    path = folder / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def one(line: str) -> str:
    return f"waivers:\n  - {line}\n"


GOOD = "{code: HLT013, reason: accepted, until: 2027-01-31}"


def test_a_waiver_is_read_whole(tmp_path: Path) -> None:
    text = one(
        '{code: "HLT*", subject: PodDisruptionBudget/payments/*, cluster: "prod-*", reason: one, until: 2027-01-31}'
    )
    assert load(written(tmp_path, text)).waivers == (
        Waiver(
            code="HLT*",
            subject="PodDisruptionBudget/payments/*",
            cluster="prod-*",
            reason="one",
            until=date(2027, 1, 31),
        ),
    )


@pytest.mark.parametrize("until", ["2027-01-31", '"2027-01-31"'])
def test_a_day_is_a_day_with_or_without_quotes(tmp_path: Path, until: str) -> None:
    (waiver,) = load(written(tmp_path, one(GOOD.replace("2027-01-31", until)))).waivers
    assert (waiver.until, waiver.subject, waiver.cluster) == (date(2027, 1, 31), "*", "*")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}", "waivers: []", "waivers:\n  # all of them are fixed\n"])
def test_a_file_that_says_nothing_is_no_setting(tmp_path: Path, text: str) -> None:
    assert load(written(tmp_path, text)) == Settings()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{code: HLT013, until: 2027-01-31}", "reason"),
        ('{code: HLT013, reason: "  ", until: 2027-01-31}', "gives no reason"),
        ("{code: HLT013, reason: accepted}", "until"),
        ("{code: HLT013, reason: accepted, until: soon}", "until"),
        ("{code: HLT013, reason: accepted, until: 2027-02-31}", "until"),
        ("{reason: accepted, until: 2027-01-31}", "code"),
        ("{code: HLT999, reason: accepted, until: 2027-01-31}", "no finding has the code 'HLT999'"),
        ("{code: hlt013, reason: accepted, until: 2027-01-31}", "no finding has the code 'hlt013'"),
        ("{code: 13, reason: accepted, until: 2027-01-31}", "code"),
        ("HLT013", r"waivers\[0\]"),
    ],
)
def test_a_waiver_that_cannot_be_meant_is_refused_with_the_field(tmp_path: Path, line: str, why: str) -> None:
    path = written(tmp_path, one(line))
    with pytest.raises(BadInput, match=why) as caught:
        load(path)
    assert path in caught.value.what
    assert caught.value.fix


def test_the_second_of_two_waivers_is_named_by_its_place(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"waivers\[1\]"):
        load(written(tmp_path, f"waivers:\n  - {GOOD}\n  - {{code: HLT013}}\n"))


@pytest.mark.parametrize("key", ["subjct: Deployment/shop/*", "clusters: staging", "object: x"])
def test_a_misspelt_field_is_refused_it_would_waive_more_than_was_meant(tmp_path: Path, key: str) -> None:
    with pytest.raises(BadInput, match=key.partition(":")[0]):
        load(written(tmp_path, one(GOOD.replace("}", f", {key}}}"))))


@pytest.mark.parametrize(
    "text",
    [
        "waiver: []",
        "- code: HLT013",
        "waivers: {code: HLT013}",
        "waivers: [",
        "waivers: \x00",
        b"waivers: \xff\xfe",
        "{[]: 1}",
        "just words",
        "waivers: &a [*a]",
    ],
)
def test_a_file_that_is_none_is_refused_by_its_name(tmp_path: Path, text: str | bytes) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        load(path)
    assert path in caught.value.what


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.yaml"):
        load(str(tmp_path / "nowhere.yaml"))
    with pytest.raises(BadInput):
        load(str(tmp_path))


def test_without_a_name_the_users_own_file_is_read_if_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ADDONCTL_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_path() == tmp_path / "addonctl" / "config.yaml"
    assert load() == Settings()
    default_path().parent.mkdir()
    default_path().write_text(one(GOOD))
    assert len(load().waivers) == 1


def test_the_environment_names_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADDONCTL_CONFIG", written(tmp_path, one(GOOD)))
    assert len(load().waivers) == 1


def test_a_file_that_the_environment_names_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADDONCTL_CONFIG", str(tmp_path / "nowhere.yaml"))
    with pytest.raises(BadInput, match=r"nowhere\.yaml"):
        load()


def test_a_prometheus_of_the_settings_is_asked_as_they_say(tmp_path: Path) -> None:
    text = """
prometheus:
  - url: https://prometheus.example.com
    cluster: prod-*
    token_file: /etc/token
    labels: {cluster: prod-eu-1}
  - {url: https://other.example.com, region: eu-west-1, timeout_s: 5}
"""
    first, second = load(written(tmp_path, text)).prometheus
    assert (first.cluster, first.token_file, first.labels) == ("prod-*", "/etc/token", {"cluster": "prod-eu-1"})
    assert (second.cluster, second.region, second.timeout_s) == ("*", "eu-west-1", 5)


def test_a_token_in_the_settings_themselves_is_refused_and_not_quoted(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load(written(tmp_path, "prometheus: [{url: https://x.example.com, token: hunter2}]"))
    assert "token" in caught.value.what
    assert "hunter2" not in str(caught.value)
