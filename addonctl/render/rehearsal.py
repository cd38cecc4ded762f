"""Rehearsals and twins in words and as documents: what became of a plan in a twin, and what the twin lacks."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from addonctl.model.rehearsal import NOT_MODELLED, Asked, Carried, Rehearsal, Rehearsed, TwinState, Weather
from addonctl.render.documents import SCHEMA, Document, plain
from addonctl.render.runs import why_text
from addonctl.render.screen import BAD, GOOD, QUIET, counted, say, table, title
from addonctl.render.tables import Column, Fit

_TOLD_MOST = 20
_WEATHER: Mapping[Weather, str] = {
    Weather.CALM: "nothing in its way",
    Weather.FAULTS: "faults of the infrastructure",
    Weather.INCIDENT: "a version that is wrong",
}
_OWNERS: Mapping[str, str] = {
    "eks-addon": "EKS add-ons",
    "helm-release": "Helm releases",
    "argo-application": "Argo CD Applications",
    "flux-helm-release": "Flux HelmReleases",
    "flux-kustomization": "Flux Kustomizations",
    "manifest": "appliers of manifests",
    "undetermined": "add-ons that nobody is known to keep",
}


def quantile(values: Iterable[float], share: float) -> float | None:
    found = sorted(values)
    return found[min(int(share * len(found)), len(found) - 1)] if found else None


# ── Rehearsals ──────────────────────────────────────────────────────────────────────────────────────────────────


def rehearsal(found: Rehearsal) -> None:
    """What `addonctl update --rehearse` prints."""
    seeds = f"seeds {found.runs[0].seed} to {found.runs[-1].seed}"
    title(f"REHEARSED {len(found.runs)} TIMES IN A SIMULATED TWIN OF {found.cluster}: {found.goal}, {seeds}")
    columns = [Column("MET"), Column("RUNS"), Column("BECAME", Fit.WRAP), Column("TOOK p50"), Column("p95")]
    columns += [Column("BACK p50"), Column("p95"), Column("REQUESTS"), Column("WRONG"), Column("LATE"), Column("LOST")]
    table(columns, [_row(weather, runs) for weather in Weather if (runs := found.under(weather))])
    _wrong(found)
    say(_origin(found), QUIET)
    lacks(found.carried)
    calm = found.under(Weather.CALM)
    good = sum(run.end == "updated" for run in calm)
    if not calm:
        say("In none of these runs nothing was in its way: give more of them.", QUIET)
    elif found.recommended:
        say(f"Updated in {good} of {len(calm)} runs in which nothing was in its way.", GOOD)
    else:
        say(f"Not recommended: with nothing in its way it was updated in {good} of {len(calm)} runs only.", BAD)


def _row(weather: Weather, runs: Sequence[Rehearsed]) -> list[str]:
    ends = Counter(run.end for run in runs)
    became = ", ".join(f"{number} {end}" for end, number in ends.most_common())
    took = [run.took_s for run in runs]
    back = [run.back_s for run in runs if run.back_s is not None]
    times = (quantile(took, 0.5), quantile(took, 0.95), quantile(back, 0.5), quantile(back, 0.95))
    shown = ["-" if each is None else f"{each:.0f} s" for each in times]
    asked = _asked(runs)
    counts = (asked.requests, asked.wrong, asked.late, asked.lost)
    return [_WEATHER[weather], str(len(runs)), became, *shown, *(f"{each:,}" for each in counts)]


def _asked(runs: Iterable[Rehearsed]) -> Asked:
    found = [run.asked for run in runs]
    return Asked(
        requests=sum(each.requests for each in found),
        wrong=sum(each.wrong for each in found),
        late=sum(each.late for each in found),
        lost=sum(each.lost for each in found),
    )


def _wrong(found: Rehearsal) -> None:
    """Of each run that was not simply updated, why, and with which seed."""
    other = [run for run in found.runs if run.end != "updated"]
    if other:
        title("WHAT WENT WRONG")
    for run in other[:_TOLD_MOST]:
        say(_told(run), BAD if run.bad else "", first=f"seed {run.seed}  ")
    if len(other) > _TOLD_MOST:
        say(f"and {len(other) - _TOLD_MOST} more: -o json has all", QUIET)
    if other:
        say("One of them again: --runs 1 --seed SEED", QUIET)


def _told(run: Rehearsed) -> str:
    against = f"{run.shows} ({run.incident})" if run.incident else ""
    faults = ", ".join(run.faults)
    why = why_text(run.why) if run.why else ""
    return "; ".join(filter(None, (f"{run.end} after {run.took_s:.0f} s", against, faults, why)))


def _origin(found: Rehearsal) -> str:
    """Where what went wrong comes from: a rate is worth no more than that."""
    whose = "public updates of this add-on" if found.known else "public updates of add-ons, none of this one"
    incidents = counted(len(found.incidents), "incident")
    return (
        "Drawn: a quarter of the runs calm, a quarter with up to 3 faults, half with a version that is wrong as in one "
        f"of {incidents} ({whose}), of equal weight. The shares are chosen: nobody has counted how often it happens."
    )


def rehearsal_document(found: Rehearsal) -> Document:
    """`addonctl update --rehearse -o json`."""
    return {
        "schema": SCHEMA,
        "kind": "Rehearsal",
        "cluster": found.cluster,
        "goal": found.goal,
        "plan": found.plan,
        "recommended": found.recommended,
        "incidents": {"known": found.known, "drawn_from": list(found.incidents)},
        "summary": [_summary(weather, runs) for weather in Weather if (runs := found.under(weather))],
        "runs": [_run(run) for run in found.runs],
        "twin": {"carried": plain(found.carried), "not_modelled": list(NOT_MODELLED)},
    }


def _summary(weather: Weather, runs: Sequence[Rehearsed]) -> Document:
    took, back = [run.took_s for run in runs], [run.back_s for run in runs if run.back_s is not None]
    return {
        "weather": weather,
        "runs": len(runs),
        "ends": dict(Counter(run.end for run in runs)),
        "took_s": {"p50": quantile(took, 0.5), "p95": quantile(took, 0.95)},
        "back_s": {"p50": quantile(back, 0.5), "p95": quantile(back, 0.95)},
        "requests": plain(_asked(runs)),
    }


def _run(run: Rehearsed) -> Document:
    incident = {"id": run.incident, "what": run.shows, "source": run.source} if run.incident else None
    return {
        "seed": run.seed,
        "weather": run.weather,
        "end": run.end,
        "bad": run.bad,
        "why": why_text(run.why) if run.why else "",
        "took_s": run.took_s,
        "back_s": run.back_s,
        "incident": incident,
        "faults": list(run.faults),
        "requests": plain(run.asked),
        "timeline": [
            {"phase": each.phase, "step": each.step + 1, "wave": each.wave + 1, "at_s": each.at_s}
            for each in run.passed
        ],
    }


# ── Twins ───────────────────────────────────────────────────────────────────────────────────────────────────────


def lacks(carried: Iterable[Carried]) -> None:
    """What a twin lacks, of this cluster and of any."""
    told = [f"{_name(each.what)}: {each.missing}" for each in carried if each.missing]
    say(f"Not in the twin: {'; '.join((*told, *NOT_MODELLED))}.", QUIET)


def _name(what: str) -> str:
    return _OWNERS.get(what, what)


def twin(found: TwinState) -> None:
    """What `addonctl twin` prints."""
    say(f"A simulated twin of {found.cluster}, by seed {found.seed}", "bold")
    say(f"{counted(found.nodes, 'node')}, {counted(found.pods, 'pod')} of which {found.ready} are ready")
    title("CARRIED OVER")
    columns = (Column("WHAT"), Column("TWIN"), Column("CLUSTER"), Column("MISSING", Fit.WRAP))
    table(columns, [[_name(each.what), str(each.carried), str(each.of), each.missing] for each in found.carried])
    for line, style in _odd(found):
        say(line, style)
    say(f"No twin has: {'; '.join(NOT_MODELLED)}.", QUIET)


def _odd(found: TwinState) -> Iterator[tuple[str, str]]:
    for what, why in found.failed:
        yield f"Not made: {what}: {why}", BAD
    for what in found.unsettled:
        yield f"Not ready in the twin, though it is in the cluster: {what}", BAD
    for image in found.broken:
        yield f"Never ready, as in the cluster: pods of {image}", ""


def twin_document(found: TwinState) -> Document:
    """`addonctl twin -o json`."""
    return {
        "schema": SCHEMA,
        "kind": "Twin",
        "cluster": found.cluster,
        "seed": found.seed,
        "nodes": found.nodes,
        "pods": {"made": found.pods, "ready": found.ready},
        "carried": plain(found.carried),
        "not_modelled": list(NOT_MODELLED),
        "unsettled": list(found.unsettled),
        "failed": [{"what": what, "why": why} for what, why in found.failed],
        "broken": list(found.broken),
    }
