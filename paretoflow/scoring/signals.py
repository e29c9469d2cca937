"""Signals of likelihood over-optimisation and of the difficulty of pairs, beside the scores.

Top-k entropy and mass are recorded while a checkpoint's answers are sampled. The rest follows from
the log-probabilities of held-out pairs, which an evaluation computes anyway: no signal costs a
forward pass. All go into an evaluation's diagnostics; `over_optimised` is the verdict that may end
a run early.

References:
    Shi et al. 2024, arXiv 2410.11677 (likelihood over-optimisation): top-k entropy and mass; see
    `lm.topk`. The verdict uses the mass, or the raw entropy as well.
    Chen et al. 2024, arXiv 2405.19534 (ranking accuracy): its raw and idealised form and the flip
    bound. Departures: (1) a pair is ranked by weighted standardised scores instead of a person; (2)
    the share that prefers the better answer is taken as the logistic function of its lead in those
    scores, so log(a / (1 - a)) is the lead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paretoflow.core.protocols import Candidates
from paretoflow.core.values import FloatArray

if TYPE_CHECKING:
    from paretoflow.lm.generation import Answer
    from paretoflow.spec.methods.base import EarlyStopSpec

ASSUMED_BETA = 0.1
"""KL coefficient of the idealised accuracy, for a method without one."""

_TIE = 1e-9
"""Answers whose standardised scores are closer than this form no pair."""
_QUANTILES = {"q10": 0.1, "q50": 0.5, "q90": 0.9}
_TOP_K_NAMES = ("topk_entropy", "topk_entropy_renormalised", "topk_mass")


def topk_signals(answers: Sequence[Answer]) -> dict[str, float]:
    """Return `topk_entropy`, `topk_entropy_renormalised` (bits) and `topk_mass` of a policy.

    Means over the tokens of each of its own answers, then over answers; end-of-text tokens count.

    Args:
        answers: At least one.
    """
    means = np.mean([answer.topk for answer in answers], axis=0)
    return {name: float(v) for name, v in zip(_TOP_K_NAMES, means, strict=True)}


@dataclass(frozen=True)
class HeldOutPairs:
    """Every pair of answers of different merit to a held-out prompt, better w and worse l: n pairs.

    Args:
        better, worse: The policy's log-probability of each answer in nats, shape (n,).
        ref_better, ref_worse: The base's log-probabilities, likewise.
        tokens_better, tokens_worse: Lengths in tokens, at least 1.
        lead: Merit of better minus worse, shape (n,), positive.
    """

    better: FloatArray
    worse: FloatArray
    ref_better: FloatArray
    ref_worse: FloatArray
    tokens_better: FloatArray
    tokens_worse: FloatArray
    lead: FloatArray

    @classmethod
    def of(cls, logprobs: FloatArray, held_out: Candidates, merits: FloatArray) -> HeldOutPairs:
        """Pair the held-out answers.

        Args:
            logprobs: The policy's, shape (P, C).
            held_out: The held-out answers.
            merits: Weighted standardised gains, shape (P, C).
        """
        first, second = np.triu_indices(merits.shape[1], k=1)
        lead = merits[:, first] - merits[:, second]
        row, pair = np.nonzero(np.abs(lead) > _TIE)
        up = lead[row, pair] > 0
        w = (row, np.where(up, first[pair], second[pair]))
        l = (row, np.where(up, second[pair], first[pair]))  # noqa: E741 - the papers' letter
        lengths = [[max(len(ids), 1) for ids in answers] for answers in held_out.completion_ids]
        tokens = np.asarray(lengths, dtype=np.float64)
        ref = held_out.ref_logprobs
        apart = np.abs(lead[row, pair])
        return cls(logprobs[w], logprobs[l], ref[w], ref[l], tokens[w], tokens[l], apart)


def pair_signals(pairs: HeldOutPairs, beta: float) -> dict[str, float]:
    """Return the signals of a policy on held-out pairs; empty without a pair.

    - `ranking_accuracy`: share of pairs with log pi(w) >= log pi(l); `_per_token` divides each by
      its length first.
    - `ideal_ranking_accuracy`: the same for the optimal policy under a KL coefficient beta: share
      with log ref(w) - log ref(l) + lead / beta >= 0.
    - `flip_difficulty`: mean of c = log ref(l) - log ref(w), the nats that training must move a
      pair by before the policy ranks it right, and quantiles `_q10`, `_q50`, `_q90`.
    - `margin`: mean of (log pi(w) - log ref(w)) - (log pi(l) - log ref(l)); `chosen_logprob`: mean
      of log pi(w).

    By hand: one pair, log pi = (-4, -5), log ref = (-6, -5), 4 and 10 tokens: right, but wrong per
    token (-1 < -0.5); c = 1, margin 2. With lead 0.2 and beta = 0.1 the ideal gains 2 > c: right.

    References:
        Chen et al. 2024, arXiv 2405.19534; see the module for the departures.
    """
    if len(pairs.lead) == 0:
        return {}
    difficulty = pairs.ref_worse - pairs.ref_better
    moved = pairs.better - pairs.worse
    per_token = pairs.better / pairs.tokens_better - pairs.worse / pairs.tokens_worse
    signals = {
        "ranking_accuracy": np.mean(moved >= 0),
        "ranking_accuracy_per_token": np.mean(per_token >= 0),
        "ideal_ranking_accuracy": np.mean(pairs.lead >= beta * difficulty),
        "flip_difficulty": np.mean(difficulty),
        "margin": np.mean(moved + difficulty),
        "chosen_logprob": np.mean(pairs.better),
    }
    for name, share in _QUANTILES.items():
        signals[f"flip_difficulty_{name}"] = np.quantile(difficulty, share)
    return {name: float(value) for name, value in signals.items()}


def flip_bound(beta: float, difficulty: FloatArray) -> FloatArray:
    """Return the DPO loss at or under which a policy ranks a pair right: log(1 + e^(-beta c)).

    By hand: c = 0, a pair that the base ranks as likely either way, gives log 2; c = 10 with beta =
    0.1 asks for 0.3133.

    Args:
        beta: Coefficient of the loss.
        difficulty: c = log ref(l) - log ref(w), shape (n,).

    References:
        Chen et al. 2024, arXiv 2405.19534: the bound on the loss of a pair that is flipped.
    """
    bound: FloatArray = np.logaddexp(0.0, -beta * np.asarray(difficulty))
    return bound


@dataclass(frozen=True)
class Look:
    """Signals of a run at an evaluation; step 0 is the base."""

    step: int
    entropy: float
    mass: float
    margin: float
    chosen_logprob: float

    @classmethod
    def of(cls, step: int, diagnostics: Mapping[str, float]) -> Look | None:
        """Return the look from diagnostics; None where a signal could not be measured."""
        names = ("topk_entropy", "topk_mass", "margin", "chosen_logprob")
        found = [diagnostics[name] for name in names if name in diagnostics]
        return cls(step, *found) if len(found) == len(names) else None


def over_optimised(
    spec: EarlyStopSpec, steps: int, base: Mapping[str, float], looks: Sequence[Look]
) -> str:
    """Return the reason to end a run at its last look; empty if there is none.

    It should end when in each of the last `evaluations` looks, all after `after_frac` of the steps,
    the signal had fallen while margin or chosen log-probability had risen since the look before (at
    first: since the base, whose margin is 0). The `mass` signal has fallen when the odds (1 - mass)
    / mass are at least `outside` times the base's; `entropy_and_mass` when top-k entropy is at
    least `drop` under the base's, and the mass at all.

    By hand: base (2 bits, 0.9), outside 8: odds 1/9 and at least 8/9; a look (1.9, 0.5) with margin
    1 ends a run of 100 steps at step 40, and would not with a margin of -1, nor with a mass of
    0.55, whose odds are 0.82.

    Args:
        spec: The thresholds.
        steps: Number of steps of the whole run.
        base: The base's `topk_entropy` and `topk_mass`.
        looks: In order of their steps.

    References:
        Shi et al. 2024, arXiv 2410.11677. Departure: the signal, the size of the drop and the
        number of looks are settings, for the paper gives no rule.
    """
    start = Look(0, base["topk_entropy"], base["topk_mass"], 0.0, np.inf)
    seen = [start, *looks] if spec.signal == "mass" else list(looks)
    late = [i for i, look in enumerate(seen) if look.step > spec.after_frac * steps and i > 0]
    last = late[-spec.evaluations :]
    if len(last) < spec.evaluations or last[-1] != len(seen) - 1:
        return ""
    for i in last:
        now, before = seen[i], seen[i - 1]
        rose = now.margin > before.margin or now.chosen_logprob > before.chosen_logprob
        if not (_fell(spec, now, start) and rose):
            return ""
    now = looks[-1]
    times = "evaluation" if spec.evaluations == 1 else "evaluations"
    return (
        f"over-optimised at step {now.step}: for {spec.evaluations} {times} top-k mass "
        f"({now.mass:.4g}) was under the base's ({start.mass:.4g}; entropy {now.entropy:.3g} bits "
        f"to {start.entropy:.3g}) while the likelihoods still rose"
    )


def _fell(spec: EarlyStopSpec, now: Look, base: Look) -> bool:
    if spec.signal == "mass":
        odds, before = (1 - now.mass) * base.mass, (1 - base.mass) * now.mass
        return now.mass < base.mass and odds >= spec.outside * before
    return now.entropy <= (1 - spec.drop) * base.entropy and now.mass < base.mass
