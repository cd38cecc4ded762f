"""The last net: what looks like a credential in free text is taken out, what people need to read is left."""

import json
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.adapters import redact

SECRET = "wJalrXUtnFEMI7Kx9Zq2"


@pytest.mark.parametrize(
    "free",
    [
        "login with --password {} failed",
        "exec: mysql -uroot --password={}",
        "AWS_SECRET_ACCESS_KEY {} is not valid",
        "aws_secret_access_key = {}",
        'env GITHUB_TOKEN="{}"',
        "password: {}",
        'password: "{} with blanks {}"',
        r"{{\"bindPW\": \"{}\"}}",
        "'clientSecret' => '{}'",
        "https://me:{}@git.example.com/r refused",
        "https://me:a/{}@git.example.com/r refused",
        "https://{}@git.example.com/r refused",
        "me:{}@git.example.com/r refused",
        "GET https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature={} is 403",
        "GET https://git.example.com/r?access_token={}: 404",
        "Authorization: {}",
        "authorization: Token {}",
        "bearer {}",
        "Basic {}=",
        "token github_pat_{}",
        "key sk-{}",
        "npm_{}",
        "glpat-{}",
        "AKIA{}",
        "AIza{}",
        "post to https://hooks.slack.com/services/T0/B0/{} failed",
        "curl -u me:{} failed",
        "x -----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY----- y",
        "x -----BEGIN EC PRIVATE KEY-----\n{}",
        "client-key-data: {}",
        "k8s-aws-v1.{}",
        "eyJhbGciOiJIUzI1NiJ9.{}.{}",
    ],
)
def test_what_looks_like_a_credential_is_replaced(free: str) -> None:
    text = redact.text(free.format(*[SECRET.upper() if free.startswith("AKIA") else SECRET] * 2))
    assert SECRET.lower() not in text.lower()
    assert redact.REDACTED in text


@pytest.mark.parametrize(
    "free",
    [
        'Readiness probe failed: Get "https://10.0.7.1:10250/healthz?timeout=1s": dial tcp 10.0.1.2:8080: refused',
        "0/12 nodes are available: 3 Insufficient cpu, 9 node(s) didn't match Pod's node affinity/selector.",
        'Failed to pull image "602401143452.dkr.ecr.eu-central-1.amazonaws.com/amazon-k8s-cni:v1.22.4@sha256:0a1b2c3d"',
        'secrets is forbidden: User "system:serviceaccount:apps:dns" cannot list resource "secrets" in API group ""',
        'MountVolume.SetUp failed for volume "certs" : secret "webhook-tls" not found',
        "basic authentication failed, bearer authentication was not tried",
        "image registry.k8s.io/coredns/coredns:v1.12.4@sha256:9e69e6a1b5a8b1c2d3e4f5a6b7c8d9e0",
        "Helm upgrade failed for release apps/dns with chart coredns@1.43.2: timed out waiting for the condition",
        'failed calling webhook "validate.example.com": Post "https://hook.apps.svc:443/validate?timeout=10s": EOF',
        "git repository https://github.com/example/charts at git@github.com:example/charts.git",
        "reconciled revision main@sha1:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    ],
)
def test_what_people_need_to_read_is_left(free: str) -> None:
    assert redact.text(free) == free


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("https://me:pa/ss@git.example.com/r.git?x=1#y", "https://git.example.com/r.git"),
        ("https://tok3n@git.example.com/r", "https://git.example.com/r"),
        ("git@github.com:example/r.git", "git@github.com:example/r.git"),
        ("me:tok3n@git.example.com/r", "git.example.com/r"),
        ("oci://ghcr.io/example/charts", "oci://ghcr.io/example/charts"),
        ("https://git.example.com/t/wJalrXUtnFEMI7Kx9Zq2/r", "https://git.example.com/t/(redacted)/r"),
        ("https://git.example.com:8443/r@v1", "https://git.example.com:8443/r@v1"),
    ],
)
def test_a_url_names_the_place_only(address: str, place: str) -> None:
    assert redact.url(address) == place


def test_a_message_is_cut_after_it_was_cleaned() -> None:
    long = "x" * (redact.MESSAGE_MAX - 12) + " eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
    assert "eyJ" not in redact.message(long)
    assert len(redact.message("y " * 10_000)) == redact.MESSAGE_MAX


def test_the_vendors_patterns_have_a_source_and_a_day() -> None:
    facts = json.loads((resources.files("addonctl") / "data" / "credentials.json").read_text())
    assert facts["source"].startswith("gitleaks")
    assert facts["licence"].startswith("MIT")
    assert len(facts["rules"]) > 100
    stripe = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
    assert redact.text(f"charged by {stripe}!") == "charged by (redacted)!"
    databricks = "dapi" + "0123456789abcdef" * 2
    assert databricks not in redact.text(f"x {databricks} y")


@given(st.text(max_size=300))
def test_any_text_is_cleaned_once_and_for_all(free: str) -> None:
    once = redact.text(free)
    assert redact.text(once) == once
