from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.evaluation import Evaluation
from paretoflow.core.values import BASE_RUN_ID, Direction, ObjectiveInfo, Problem
from paretoflow.engine.read.notes import notes_of
from paretoflow.engine.state.events import calibrated, evaluated
from paretoflow.ledger.tables import Event
from tests.unit.engine.telling import CALIBRATED, base, done, folded, opened, proposed, scored

RUNS = [proposed("r0"), proposed("r1")]


def told(*events: Event, problem: Event = CALIBRATED) -> str:
    return "\n".join(notes_of(folded(opened(), problem, *events)))


def noisy(run_id: str, means: Sequence[float], spread: float, seed: int, cut: float = 0.0) -> Event:
    """Return an evaluation on 40 prompts whose scores have a spread, with a share cut off."""
    noise = np.random.default_rng(seed).standard_normal((2, 40))
    noise = (noise - noise.mean(axis=1, keepdims=True)) * [[spread], [10 * spread]]
    scores = np.array(means)[:, None] + noise
    found = replace(
        Evaluation.of_prompts(scores, diagnostics={"cut_off": cut}), scores=np.array(means)
    )
    return evaluated(found.named(run_id, 0, int(run_id != BASE_RUN_ID)), 0.0)


def test_a_sweep_that_is_well_has_no_notes() -> None:
    assert told() == ""
    assert told(base((0.5, 5.0))) == ""
    assert told(base((0.5, 5.0)), *RUNS, scored("r0", (0.7, 5.5)), done("r0")) == ""


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        ([(-0.1, 5.0), (0.0, 4.0)], "none ever passes coverage 0 (best 0)"),
        ([(0.3, 11.0), (0.4, 10.0)], "none ever passes words 10 (best 10)"),
        ([(-0.2, 12.0), (-0.1, 11.0)], "coverage 0 (best -0.1), words 10 (best 11)"),
        ([(0.4, 12.0), (-0.1, 3.0)], "each passes only some of it"),
    ],
)
def test_nothing_beyond_the_reference_is_explained(
    scores: list[tuple[float, float]], says: str
) -> None:
    first, second = scores
    note = told(base(first), *RUNS, scored("r0", second), done("r0"))
    assert "no point is beyond the reference point, so the hypervolume is 0" in note
    assert says in note


@pytest.mark.parametrize("index", [0, 1])
def test_an_objective_that_is_alike_everywhere_is_told(index: int) -> None:
    def flat(event: Event, value: float) -> Event:
        rows = np.array(event.prompt_scores)
        rows[index] = value
        scores = np.array(event.scores)
        scores[index] = value
        return replace(event, scores=tuple(scores), prompt_scores=tuple(tuple(row) for row in rows))

    events = [flat(base((0.5, 5.0)), 0.4), *RUNS, flat(scored("r0", (0.6, 4.0)), 0.4), done("r0")]
    name = ("coverage", "words")[index]
    assert f"{name} is constant, 0.4 in all 2 evaluations" in told(*events)
    # alike on the average alone is not constant
    assert "constant" not in told(base((0.5, 5.0)), *RUNS, scored("r0", (0.5, 4.0)), done("r0"))


def test_a_simulated_sweep_without_prompts_is_looked_at_by_its_means() -> None:
    def mean_alone(event: Event) -> Event:
        return replace(event, prompt_scores=((), ()), stderr=(0.0, 0.0))

    events = [mean_alone(scored(r, (0.5 + i / 10, 5.0))) for i, r in enumerate(("r0", "r1"))]
    assert "words is constant, 5 in all 2 evaluations" in told(*RUNS, *events)


def test_a_front_within_the_bases_errors_is_told_and_one_beyond_is_not() -> None:
    start = noisy(BASE_RUN_ID, (0.50, 5.0), 0.2, seed=0)
    near = noisy("r0", (0.53, 5.2), 0.2, seed=1)
    far = noisy("r0", (0.75, 5.2), 0.2, seed=1)
    shorter = noisy("r0", (0.45, 2.0), 0.2, seed=1)  # fewer words are better
    note = "no point of the front is better than the base by more than 2 standard errors"
    assert note in told(start, *RUNS, near, done("r0"))
    for better in (far, shorter):
        assert note not in told(start, *RUNS, better, done("r0"))
    assert note not in told(start)  # nothing was trained yet


def test_answers_that_are_cut_off_are_counted_on_base_and_front() -> None:
    start = noisy(BASE_RUN_ID, (0.5, 5.0), 0.0, 0, cut=0.31)
    one, two = (noisy(f"r{i}", (0.6 + i / 10, 5.1 + i), 0.0, 0, cut=i / 2) for i in range(2))
    note = told(start, *RUNS, one, two, done("r0"), done("r1"))
    assert "max_new_tokens: 31% of the base's answers, 27% of those on the front, 50%" in note
    rare = noisy(BASE_RUN_ID, (0.5, 5.0), 0.0, 0, cut=0.02)
    assert "cut off" not in told(rare)
    assert "cut off" not in told(base((0.5, 5.0)))  # a sweep from before this was counted


def test_what_was_found_at_calibration_is_kept_with_the_base() -> None:
    event = base((0.5, 5.0))
    kept = replace(event, payload={**event.payload, "notes": ["words: the model reads 512"]})
    assert told(kept) == "words: the model reads 512"


def test_directions_count() -> None:
    problem = calibrated(
        Problem((ObjectiveInfo("loss", Direction.MINIMIZE, "", 0.0, 1.0, 0.5),) * 2), 0.0
    )
    assert told(scored(BASE_RUN_ID, (0.4, 0.3), step=0), problem=problem) == ""
    assert "none ever passes loss 0.5 (best 0.6)" in told(
        scored(BASE_RUN_ID, (0.6, 0.7), step=0), problem=problem
    )
