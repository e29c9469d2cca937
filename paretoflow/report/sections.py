"""The report's tables and texts as HTML; every value but literals goes through `escape`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from paretoflow.core.conditions import condition_brief
from paretoflow.core.cost import Cost
from paretoflow.core.settings import settings_text
from paretoflow.core.shown import html_text as escape
from paretoflow.core.status import RunStatus
from paretoflow.core.values import BASE_RUN_ID, Problem, RunRecord
from paretoflow.core.views import FrontView, SweepView
from paretoflow.front.outcomes import Outcome, outcomes_of
from paretoflow.report.labels import doubt_text, score_text, seconds_text, thresholds_text
from paretoflow.report.samples import Answer, AnswerReader, shown_points, side_by_side
from paretoflow.spec.public import public_spec, public_text

SAMPLE_PROMPTS = 3


def spent(view: SweepView) -> Cost:
    """Return the cost of all runs, failed attempts included, and of evaluating the base."""
    total = sum((r.cost for r in view.runs), Cost())
    return total + sum((e.cost for e in view.evaluations if e.run_id == BASE_RUN_ID), Cost())


def summary_text(view: SweepView) -> str:
    """Return objectives, method, proposer and name of the sweep, in one line."""
    spec = view.spec
    parts = [str(spec[k]["type"]) for k in ("method", "proposer") if "type" in spec.get(k, {})]
    names = ", ".join(o.name for o in view.front.problem.objectives)
    return escape(" · ".join([names, *parts, view.front.name]))


def data_html(view: SweepView) -> str:
    """Return notes on the rows of the data, one line each."""
    return "".join(
        f"<p><small>Data: {escape(line)}.</small></p>" for line in view.data_facts.lines()
    )


def changes_html(view: SweepView) -> str:
    """Return the changes of inputs that make evaluations differ, one paragraph each."""
    return "".join(f"<p class=changed>{escape(str(change))}.</p>" for change in view.changes)


def tiles_html(view: SweepView) -> str:
    """Return the headline numbers."""
    front, cost = view.front, spent(view)
    ref = ", ".join(f"{o.name} {o.ref:.4g}" for o in front.problem.objectives)
    price = float(view.spec.get("engine", {}).get("price", 0.0))
    spent_money = price * cost.device_s / 3600 + view.judged
    money = f", cost {spent_money:.2f}" if price or view.judged else ""
    money += f", {view.judged:.2f} of it for judges" if view.judged else ""
    others = f"{front.failed} failed, {front.pending} pending"
    others += f", {front.paused} paused" if front.paused else ""
    tiles = [
        *_worth_tiles(front),
        (_factor(view), "times the base model's", f"reference point: {ref}"),
        (str(len(front.points)), "points on the front", f"of {len(view.evaluations)} evaluations"),
        (str(front.finished), "runs finished", others),
        (seconds_text(cost.device_s), "device time", f"{cost.tokens:,} tokens{money}"),
    ]
    return "".join(
        f'<div class="tile"><b>{escape(big)}</b><span>{escape(name)}</span>'
        f"<small>{escape(note)}</small></div>"
        for big, name, note in tiles
    )


def _worth_tiles(front: FrontView) -> list[tuple[str, str, str]]:
    """Return the hypervolume: the corrected one first, if known, with the reported one."""
    reported, corrected = f"{front.hypervolume:.4g}", front.hypervolume_corrected
    if corrected is None:
        return [(reported, "hypervolume", "as reported: no scores of single prompts")]
    low, high = front.hypervolume_ci
    note = (
        f"95 % interval {low:.4g} to {high:.4g}; {reported} as reported, luck of selection included"
    )
    return [(f"{corrected:.4g}", "hypervolume, corrected", note)]


def notes_html(front: FrontView) -> str:
    """Return notes on the reliability of the numbers; empty without notes."""
    notes = "".join(f"<li>{escape(note)}</li>" for note in front.notes)
    return f'<ul class="notes">{notes}</ul>' if notes else ""


def _factor(view: SweepView) -> str:
    base = view.curve[0][2] if view.curve and view.curve[0][0] == 0 else 0.0
    return f"{view.front.hypervolume / base:.2f}" if base > 0 else "–"  # noqa: RUF001


def points_html(front: FrontView) -> str:
    """Return the table of the front's points."""
    head = [
        "#",
        *(f"{o.name} {o.unit}".strip() for o in front.problem.objectives),
        "trained towards",
        "checkpoint",
        "KL",
    ]
    rows = [
        [
            f"{number} ?" if p.doubtful else str(number),
            *(
                f"<b>{escape(score_text(s, e))}</b>"
                for s, e in zip(p.scores, p.stderr, strict=True)
            ),
            _weights_html(p.weights, front.problem),
            f"<code>{escape(p.snapshot_id)}</code><small>{escape(p.kind)}, step {p.step}</small>"
            + (f"<small>asked with {escape(brief)}</small>" if brief else "")
            + (f"<small>mixes {escape(str(p.merge))}</small>" if p.merge else "")
            + (f"<small>{escape(settings_text(p.settings))}</small>" if p.settings else "")
            + (f"<small>doubtful: {escape(doubt_text(p))}</small>" if p.doubtful else ""),
            f"{p.diagnostics['kl']:.3g}" if "kl" in p.diagnostics else "",
        ]
        for number, p in enumerate(front.points, start=1)
        for brief in [condition_brief(p.condition)]
    ]
    return table_html(head, rows)


def runs_html(view: SweepView) -> str:
    """Return the table of all runs with their launches."""
    problem, last = view.front.problem, {e.run_id: e for e in view.evaluations}
    ended = outcomes_of(problem, view.runs, view.evaluations)
    rows = []
    for run in view.runs:
        row = last.get(run.run_id)
        scores = (
            ""
            if row is None
            else "<br>".join(
                f'<span class="whole">{escape(o.name)} {escape(score_text(s, e))}</span>'
                for o, s, e in zip(problem.objectives, row.scores, row.stderr, strict=True)
            )
        )
        rows.append(
            [
                f"<code>{escape(run.run_id)}</code><small>seed {run.proposal.seed}</small>",
                _status_html(run),
                _launch_html(run, problem, ended.get(run.run_id)),
                f"{escape(run.proposal.reason)}<small>{escape(run.proposal.proposer)}</small>",
                scores,
                f"{seconds_text(run.cost.device_s)}<small>{run.cost.tokens:,} tokens</small>",
            ]
        )
    head = ["run", "status", "launch", "why", "last scores", "device time"]
    return table_html(head, rows)


def failures_html(runs: Sequence[RunRecord], spec: Mapping[str, Any]) -> str:
    """Return the runs whose last failure is known, with the boundary at which it occurred.

    Private values of `spec` are removed from the messages.
    """
    rows = [
        [
            f"<code>{escape(r.run_id)}</code>",
            _status_html(r),
            escape(r.boundary.value),
            f"<pre>{escape(public_text(r.message, spec))}</pre>",
        ]
        for r in runs
        if r.boundary is not None
    ]
    return (
        table_html(["run", "status now", "boundary", "message"], rows)
        if rows
        else "<p>No run has failed.</p>"
    )


def samples_html(view: SweepView, answers: AnswerReader | None) -> str:
    """Return answers of the base and of the extreme and middle points to the same prompts."""
    shown = shown_points(view)
    columns = {snapshot: answers(snapshot) if answers else [] for _, snapshot in shown}
    matched = side_by_side(columns, SAMPLE_PROMPTS)
    if not matched:
        return "<p>No answers were kept for these points: there is nothing to show.</p>"
    problem = view.front.problem
    parts = []
    for first, row in matched:
        cards = "".join(
            _answer_html(heading, answer, problem)
            for (heading, _), answer in zip(shown, row, strict=True)
        )
        reference = str(first.get("reference") or "")
        note = f"<p><small>reference</small>{escape(reference)}</p>" if reference else ""
        prompt = f"<pre>{escape(str(first['prompt']))}</pre>"
        parts.append(
            f'<div class="sample"><div class="prompt"><small>prompt</small>{prompt}{note}</div>'
            f'<div class="answers">{cards}</div></div>'
        )
    return "".join(parts)


def _answer_html(heading: str, answer: Answer | None, problem: Problem) -> str:
    if answer is None:
        return f"<div><small>{escape(heading)}</small><p class=muted>no answers were kept</p></div>"
    text = str(answer["completion"]).strip() or "(empty)"
    scores = " · ".join(
        f"{n} {float(answer[n]):.3g}" for n in problem.names if answer.get(n) is not None
    )
    top = f"<small>{escape(heading)}</small>"
    return f"<div>{top}<p>{escape(text)}</p><small>{escape(scores)}</small></div>"


def spec_html(view: SweepView) -> str:
    """Return the resolved spec, without private values, and the frozen ranges."""
    rows = [
        [
            escape(o.name),
            o.direction.value,
            escape(o.unit),
            f"{o.low:.4g} to {o.high:.4g}",
            f"{o.ref:.4g}",
        ]
        for o in view.front.problem.objectives
    ]
    ranges = table_html(["objective", "direction", "unit", "range", "reference value"], rows)
    return (
        ranges
        + f"<pre>{escape(json.dumps(public_spec(view.spec), indent=2, ensure_ascii=False))}</pre>"
    )


def table_html(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; headings are escaped here, cells are HTML already."""
    top = "".join(f"<th>{escape(h)}</th>" for h in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _weights_html(weights: Sequence[float] | None, problem: Problem) -> str:
    """Return weights as short bars with their numbers."""
    if weights is None:
        return "not trained"
    bars = "".join(
        f'<span>{escape(n)}</span><i><u style="width:{100 * w:.0f}%"></u></i><span>{w:.2f}</span>'
        for n, w in zip(problem.names, weights, strict=True)
    )
    return f'<div class="bars">{bars}</div>'


def _launch_html(run: RunRecord, problem: Problem, outcome: Outcome | None) -> str:
    proposal = run.proposal
    notes = []
    if proposal.target is not None:
        notes.append(f"improve {problem.names[proposal.target]}")
    if proposal.thresholds is not None:
        notes.append(f"reach {thresholds_text(proposal.thresholds, problem)}")
    if outcome is not None:
        notes.append(outcome.words(problem))
    if proposal.parent:
        notes.append(f"from {proposal.parent}")
    if proposal.merge is not None:
        notes.append(f"mixes {proposal.merge}")
    if proposal.settings:
        notes.append(settings_text(proposal.settings))
    small = "".join(f"<small>{escape(n)}</small>" for n in notes)
    return f"{escape(proposal.kind.value)}{_weights_html(proposal.weights.values, problem)}{small}"


def _status_html(run: RunRecord) -> str:
    tries = run.attempt + (run.status is not RunStatus.PENDING)
    note = f"{tries} attempt{'s' if tries != 1 else ''}"
    return f'<span class="status {run.status.value}">{run.status.value}</span><small>{note}</small>'
