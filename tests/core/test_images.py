"""An image is recognised wherever it was mirrored to, and no other image is taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl import images

COREDNS = "coredns/coredns"


@pytest.mark.parametrize(
    "reference",
    [
        "coredns/coredns:1.11.4",
        "docker.io/coredns/coredns",
        "registry.k8s.io/coredns/coredns:v1.11.4",
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mirror/registry.k8s.io/coredns/coredns:v1.11.4",
        "localhost:5000/coredns/coredns@sha256:0a",
        "rancher/mirrored-coredns-coredns:1.10.1",
        "registry.example.com/registry.k8s.io_coredns_coredns:v1",
    ],
)
def test_host_and_prefix_do_not_matter(reference: str) -> None:
    assert images.path_matches(images.parse(reference).path, COREDNS)


@pytest.mark.parametrize(
    "reference", ["example.com/my-coredns/coredns-tool", "coredns", "auto", "coredns/coredns-extra"]
)
def test_others_are_not_taken_for_it(reference: str) -> None:
    assert not images.path_matches(images.parse(reference).path, COREDNS)


def test_parts() -> None:
    image = images.parse("localhost:5000/a/b:v1.2@sha256:0a1b")
    assert (image.host, image.path, image.tag, image.digest) == ("localhost:5000", "a/b", "v1.2", "sha256:0a1b")
    assert images.parse("auto") == images.Image("", "auto", None, None)


def test_the_hash_that_ko_appends_is_ignored() -> None:
    path = "tektoncd/pipeline/controller-10a3e32792f33651396d02b6855a6e36"
    assert images.path_matches(path, "tektoncd/pipeline/controller")


@given(st.text(max_size=200))
def test_any_text_is_taken(text: str) -> None:
    image = images.parse(text)
    assert image.tag is None or image.tag in text
