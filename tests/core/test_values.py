"""Owners and Actions as values: told apart by what they are, and written so that a shell reads the same words again."""

import json
import shlex
from typing import Any, get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from addonctl.inventory.ownership import by_precedence
from addonctl.model import (
    Action,
    Claim,
    CommandLine,
    Delete,
    DeleteAddon,
    HelmRollback,
    Method,
    ObjectRef,
    Patch,
    UpdateAddon,
    owners,
)
from addonctl.model.owners import Owner
from addonctl.render.commands import LineKind, lines
from addonctl.render.escaping import plain

# ── Owners ──────────────────────────────────────────────────────────────────────────────────────────────────────

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
OWNERS: st.SearchStrategy[Owner] = st.one_of(
    st.builds(owners.EksAddon, NAMES),
    st.builds(owners.HelmRelease, NAMES, NAMES),
    st.builds(owners.ArgoApplication, NAMES, NAMES),
    st.builds(owners.FluxHelmRelease, NAMES, NAMES),
    st.builds(owners.FluxKustomization, NAMES, NAMES),
    st.builds(owners.Manifest, NAMES),
    st.builds(owners.AwsManaged, st.sampled_from(["EKS Auto Mode", "EKS capability"])),
)


@given(OWNERS, OWNERS)
def test_two_owners_are_one_exactly_where_they_are_called_the_same(one: Owner, other: Owner) -> None:
    assert (one == other) is (str(one) == str(other))
    assert (hash(one) == hash(other)) or one != other
    assert str(one)


@given(OWNERS)
def test_an_owner_says_in_documents_what_it_is(owner: Owner) -> None:
    written = msgspec.to_builtins(owner)
    assert written["type"] == owner.type
    assert set(written.values()) >= set(map(str, (getattr(owner, "name", owner.type), owner.type)))


def test_every_kind_of_owner_has_its_own_tag_and_every_method_an_owner() -> None:
    given_: dict[str, Any] = {"name": "a", "namespace": "b", "manager": "kubectl", "service": "EKS Auto Mode"}
    made = [kind(*(given_[each] for each in kind.__match_args__ if each in given_)) for kind in get_args(Owner)]
    assert len({owner.type for owner in made}) == len(made)
    assert {owner.method for owner in made} == set(Method)


@given(st.lists(OWNERS, min_size=1, max_size=6))
def test_claims_are_ordered_and_none_is_lost(some: list[Owner]) -> None:
    claims = [Claim(owner=owner, evidence=str(number)) for number, owner in enumerate(some)]
    ordered = by_precedence(claims)
    assert sorted(claim.evidence for claim in ordered) == sorted(claim.evidence for claim in claims)
    assert by_precedence(ordered) == ordered


# ── Actions ─────────────────────────────────────────────────────────────────────────────────────────────────────

WORDS = st.text(st.characters(codec="utf-8"), max_size=20)


def words_of(action: Action) -> list[list[str]]:
    """What a shell makes of the commands."""
    return [shlex.split(line.text) for line in lines(action) if line.kind is LineKind.COMMAND]


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_a_shell_reads_the_words_of_a_command_again(argv: list[str]) -> None:
    assert words_of(CommandLine(tuple(argv))) == [[plain(word) for word in argv]]


@given(WORDS, WORDS, WORDS, st.integers(0, 9))
def test_names_stay_single_words_wherever_they_stand(name: str, namespace: str, version: str, revision: int) -> None:
    (rollback,) = words_of(HelmRollback(namespace=namespace, name=name, revision=revision))
    assert rollback[:3] == ["helm", "rollback", plain(name)]
    assert rollback[3:] == [*([str(revision)] if revision else []), *(["-n", plain(namespace)] if namespace else [])]
    (update,) = words_of(UpdateAddon(cluster=name, addon=namespace, version=version))
    assert dict(zip(update[3::2], update[4::2], strict=True)) == {
        "--cluster-name": plain(name),
        "--addon-name": plain(namespace),
        "--addon-version": plain(version),
        "--resolve-conflicts": "PRESERVE",
    }
    (delete,) = words_of(DeleteAddon(cluster=name, addon=namespace, preserve=True))
    assert delete[-1] == "--preserve"


@given(st.dictionaries(st.text("abc\"' $`\\", max_size=6), st.text("abc\"' $`\\", max_size=6), max_size=3))
def test_the_body_of_a_patch_is_the_same_after_the_shell(body: dict[str, str]) -> None:
    (patch,) = words_of(Patch(target=ObjectRef.of("Deployment", "a", "b"), body=body))
    assert json.loads(patch[-1]) == body


def test_a_patch_can_stand_in_a_set_as_what_fixes_do() -> None:
    one, other = (Patch(target=ObjectRef.of("Deployment", "a", "b"), body={"spec": {"n": n}}) for n in (1, 2))
    assert len({one, other, one}) == 2


@given(WORDS.filter(bool))
def test_what_is_deleted_is_saved_first_under_its_own_name(name: str) -> None:
    save, delete = words_of(Delete(target=ObjectRef.of("Service", name, "apps"), save_first=True))
    assert save[-1] == plain(f"{name}.yaml")
    assert (save[4], delete[-1]) == (plain(f"service/{name}"), plain(f"service/{name}"))


def test_every_kind_of_action_has_its_own_tag() -> None:
    tags = [kind.__dataclass_fields__["type"].default for kind in get_args(Action)]
    assert len(set(tags)) == len(tags)
