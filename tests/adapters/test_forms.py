"""What a setting may look like and still be kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.adapters import forms
from addonctl.catalog import Catalog, Form

SECRET = "s3cr3t-canary-7f3a"

COREFILE = f"""
# the root of all, token {SECRET}
(snippet) {{
    errors
}}
.:53 {{
    errors
    health {{
        lameduck 5s
    }}
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        pods insecure
        tls /etc/cert.pem {SECRET} /etc/ca.pem
    }}
    route53 example.org.:Z1Z2Z3Z4DZ5Z6Z7 {{
        aws_access_key AKIAIOSFODNN7EXAMPLE {SECRET}
    }}
    etcd skydns.local {{
        credentials root {SECRET}
    }}
    forward . tls://9.9.9.9 https://me:{SECRET}@dns.example.com {{
        tls_servername {SECRET}.example.com
    }}
    rewrite name "{SECRET}
      cache {SECRET}" x
    {SECRET} cache
    cache 30
    import ../{SECRET}/*
    loop
}}
example.org, tls://example.net:853 {{
    tsig {{
        secret key.example.org. {SECRET}
    }}
    whoami
}}
{SECRET} {{
    log
}}
"""


def test_a_corefile_keeps_zones_and_the_names_of_plugins() -> None:
    kept = forms.kept(COREFILE, Form.COREFILE)
    assert SECRET not in kept
    assert kept.splitlines() == [
        ".:53 {",
        "    errors",
        "    health",
        "    kubernetes cluster.local in-addr.arpa ip6.arpa",
        "    route53",
        "    etcd",
        "    forward",
        "    rewrite",
        "    cache",
        "    import",
        "    loop",
        "}",
        "example.org tls://example.net:853 {",
        "    tsig",
        "    whoami",
        "}",
    ]


def test_a_reduced_corefile_is_one() -> None:
    once = forms.corefile(COREFILE)
    assert forms.corefile(once) == once


@given(st.text(alphabet='ab.:{}"#\n \\/', max_size=80))
def test_any_text_is_taken_for_a_corefile_without_failing(text: str) -> None:
    kept = forms.corefile(text)
    assert forms.corefile(kept) == kept


@pytest.mark.parametrize(
    ("value", "form", "kept"),
    [
        ("5", Form.NUMBER, "5"),
        ("-1.5", Form.NUMBER, "-1.5"),
        ("5; token", Form.NUMBER, ""),
        ("1234567890123456", Form.NUMBER, ""),
        ("٣", Form.NUMBER, ""),
        ("true", Form.BOOLEAN, "true"),
        ("False", Form.BOOLEAN, "False"),
        ("yes", Form.BOOLEAN, ""),
        ("strict", ("standard", "strict"), "strict"),
        (SECRET, ("standard", "strict"), ""),
        ("", ("standard", "strict"), ""),
    ],
)
def test_a_value_that_does_not_fit_is_absent(value: str, form: Form | tuple[str, ...], kept: str) -> None:
    assert forms.kept(value, form) == kept


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://svc:Sup3rS3cret@api.example.com:6443/p?token=x#y", "api.example.com"),
        ("https://svc:Sup3r/S3cret@api.example.com/p", ""),
        ("https://tok3n@api.example.com", "api.example.com"),
        ("https://api.example.com/p@th", ""),
        ("https://ABCDEF0123.gr7.eu-central-1.eks.amazonaws.com", "ABCDEF0123.gr7.eu-central-1.eks.amazonaws.com"),
        ("https://[fd00::1]:443/x", "fd00::1"),
        ("10.0.0.1:8443", "10.0.0.1"),
        (SECRET, ""),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl", ""),
        ("https://hooks.example.com\\@evil.example.org", ""),
        ("", ""),
    ],
)
def test_of_an_address_only_the_host_is_kept(address: str, host: str) -> None:
    assert forms.host(address) == host


def test_the_catalog_names_variables_that_are_knobs(catalog: Catalog) -> None:
    """A variable that no capability turns is not read."""
    for addon in catalog.addons.values():
        knobs = {knob.eks.removeprefix("env.") for knob in addon.knobs}
        assert addon.env.keys() <= knobs, addon.id
