"""Texts of a chart for the evaluation under the pointer; escaped, since plotly reads HTML."""

from __future__ import annotations

import textwrap

from paretoflow.core.conditions import condition_brief
from paretoflow.core.settings import settings_text
from paretoflow.core.shown import html_text as escape
from paretoflow.core.views import SweepView
from paretoflow.report.labels import score_text, thresholds_text, weights_text


class Hover:
    """Texts for the evaluations of one view."""

    def __init__(self, view: SweepView) -> None:
        self._problem = view.front.problem
        self._rows = {e.snapshot_id: e for e in view.evaluations}
        self._runs = {r.run_id: r for r in view.runs}

    def text(self, snapshot_id: str, heading: str) -> str:
        """Return the scores and the provenance of an evaluation, as escaped HTML."""
        row, problem = self._rows[snapshot_id], self._problem
        lines = [f"<b>{escape(heading)}</b> · {escape(row.snapshot_id)}"]
        for o, score, stderr in zip(problem.objectives, row.scores, row.stderr, strict=True):
            lines.append(f"{escape(o.name)} <b>{score_text(score, stderr)}</b> {escape(o.unit)}")
        draws = f" answered {row.draws} times" if row.draws > 1 else ""
        lines.append(f"{row.n} prompts{draws}, step {row.step}")
        if row.condition is not None:
            asked = weights_text(row.weights, problem)
            lines.append(f"asked for {escape(asked)}: {escape(condition_brief(row.condition))}")
        return "<br>".join(lines + self._provenance(row.run_id))

    def _provenance(self, run_id: str) -> list[str]:
        run = self._runs.get(run_id)
        if run is None:
            return []
        proposal, problem = run.proposal, self._problem
        weights = weights_text(proposal.weights.values, problem)
        lines = [f"{proposal.kind.value}, weights {escape(weights)}"]
        if proposal.thresholds is not None:
            lines.append(f"reaching for {escape(thresholds_text(proposal.thresholds, problem))}")
        if proposal.parent:
            lines.append(f"from {escape(proposal.parent)}")
        if proposal.settings:
            lines.append(f"with {escape(settings_text(proposal.settings))}")
        if proposal.merge is not None:
            lines += [escape(part) for part in textwrap.wrap(f"mixes {proposal.merge}", 60)]
        return [*lines, *(f"<i>{escape(part)}</i>" for part in textwrap.wrap(proposal.reason, 60))]
