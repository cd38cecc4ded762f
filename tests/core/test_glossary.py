"""The glossary names the nouns of the model, and the model has them."""

import re
from pathlib import Path

from addonctl import assessment, catalog, findings, model, versions, waivers
from addonctl.model import checkpoint, forecast, plan, rehearsal, run, sizing

PAGE = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text()
# Nouns of Kubernetes, of installers' records and of subjects are those of their own documentation.
OWN = (
    model.ObjectRef,
    model.Snapshot,
    model.View,
    model.Gap,
    model.Claim,
    model.Installation,
    model.Inventory,
    model.Health,
    model.Edge,
    model.Finding,
    model.Evidence,
    checkpoint.Checkpoint,
    checkpoint.CheckpointEntry,
    plan.Plan,
    plan.Step,
    plan.Wave,
    run.Run,
    rehearsal.Blueprint,
    rehearsal.Rehearsal,
    model.Gate,
    model.Verdict,
    model.Guard,
    model.Objective,
    forecast.DailyCosts,
    forecast.Forecast,
    forecast.BackTest,
    forecast.LevelShift,
    forecast.Portfolio,
    sizing.Sizing,
    sizing.Proposal,
)


def test_every_word_of_the_glossary_is_one_of_the_code() -> None:
    words = {
        word for row in re.findall(r"^\| ([A-Z][\w, …]+) \|", PAGE, re.MULTILINE) for word in re.findall(r"\w+", row)
    }
    places = (
        model,
        checkpoint,
        forecast,
        plan,
        run,
        rehearsal,
        sizing,
        versions,
        catalog,
        findings,
        assessment,
        waivers,
    )
    assert words
    assert {word for word in words if not any(hasattr(place, word) for place in places)} == set()


def test_the_models_own_nouns_are_in_the_glossary() -> None:
    words = {word for row in re.findall(r"^\| ([^|]+) \|", PAGE, re.MULTILINE) for word in re.findall(r"\w+", row)}
    assert [noun for noun in OWN if noun.__name__ not in words] == []
