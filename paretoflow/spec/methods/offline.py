"""Methods that learn from the base's scored answers, without sampling on the way."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from paretoflow.spec.methods.base import EarlyStopSpec, MethodBase, WeighsWithinPrompts

DPO_BETA = 1.0
"""At 0.1, which people's preferences ask for, runs on the base's own answers collapse when they are
trained for long; see `DpoMethodSpec`."""
LOOKS = 2
"""Evaluated checkpoints of a run that says nothing of them."""
IPO_BETA = 1.0
"""Half a nat a token."""


class PairMethodBase(MethodBase, WeighsWithinPrompts):
    """What the methods on preference pairs share.

    The pairs are the base's own answers; scores are standardised before they are weighted, see
    `standardise`.
    """

    beta: float = Field(0.1, gt=0)
    """Strength of the pull towards the base; smaller moves further."""
    pairs_per_prompt: int = Field(2, ge=1)
    """Pairs taken from each prompt's candidates, widest margins first."""


class DpoMethodSpec(PairMethodBase):
    """Direct preference optimisation on pairs of the base's answers, ranked by weighted score.

    Rafailov et al. 2023, arXiv 2305.18290. The defaults of beta, checkpoints and early stop were
    chosen on three tasks: `tests/benchmarks/results/dpo_defaults.md`.
    """

    type: Literal["dpo"] = "dpo"
    loss: Literal["sigmoid", "ipo", "hinge"] = "sigmoid"
    """Loss on the implicit reward margin."""
    beta: float = Field(DPO_BETA, gt=0)
    """Strength of the pull towards the base; smaller moves further. Unset with `loss: ipo`: as for
    `ipo`."""
    checkpoint_every: int | None = Field(None, ge=1)
    """Steps between evaluated checkpoints, each a candidate for the front; unset: half-way and at
    the end, since a run may have been better before its end; null: only the last."""
    early_stop: EarlyStopSpec | None = EarlyStopSpec()
    """Ends a run early, as finished, when its likelihoods are over-optimised; null: never."""

    @model_validator(mode="after")
    def _by_loss_and_steps(self) -> Self:
        """Fill in what was not said, before anyone sees the frozen spec."""
        if "beta" not in self.model_fields_set and self.loss == "ipo":
            object.__setattr__(self, "beta", IPO_BETA)
        if "checkpoint_every" not in self.model_fields_set and self.steps > 1:
            object.__setattr__(self, "checkpoint_every", -(-self.steps // LOOKS))
        return self


class ModpoMethodSpec(PairMethodBase):
    """Multi-objective DPO: DPO on one objective's pairs, with the others' rewards as margins.

    Equals DPO when that objective has all the weight and labels are hard. Zhou et al. 2023, arXiv
    2310.03708.
    """

    type: Literal["modpo"]
    min_weight: float = Field(0.05, gt=0, le=1)
    """Floor of the anchoring objective's weight: the loss divides by it."""
    labels: Literal["hard", "soft"] = "soft"
    """soft: the anchoring objective's better answer wins as often as its lead in score says, so
    that the best policy is the base reweighted by exp(w.r / beta); hard: it wins for sure, as a
    single human label does, and then the anchor outgrows the others whatever the weights."""


class IpoMethodSpec(PairMethodBase):
    """Identity preference optimisation: a squared loss that pulls margins to 1 / (2 beta).

    The same as `dpo` with `loss: ipo`. Azar et al. 2023, arXiv 2310.12036.
    """

    type: Literal["ipo"]
    beta: float = Field(IPO_BETA, gt=0)
    """Log-ratios are means over tokens, so 1 / (2 beta) is in nats a token: half a nat by default,
    ten nats over an answer of 20 tokens. DPO's 0.1 would ask for five nats a token, which no pair
    reaches, so that nothing holds the margins back."""


class LnDpoMethodSpec(PairMethodBase):
    """DPO on log-ratios per token, so that a long answer gains nothing by its length.

    Ahrabian et al. 2024, arXiv 2407.15229.
    """

    type: Literal["ln_dpo"]
    beta: float = Field(5.0, gt=0)
    """Pull towards the base, ten to a hundred times that of DPO: a log-ratio per token is as many
    times smaller than the sum as the answer has tokens."""


class FDpoMethodSpec(PairMethodBase):
    """DPO with another divergence from the base than the reverse Kullback-Leibler.

    Wang et al. 2023, arXiv 2309.16240.
    """

    type: Literal["f_dpo"]
    divergence: Literal["reverse_kl", "forward_kl", "js", "alpha"] = "js"
    """reverse_kl is DPO; js (Jensen-Shannon) lies between it and forward_kl, as does alpha."""
    alpha: float = Field(0.5, ge=0, le=1)
    """Of divergence alpha, as in the paper: 0 is reverse_kl, 1 is forward_kl."""


class RpoMethodSpec(PairMethodBase):
    """DPO with a likelihood term on the better answer, against over-optimisation.

    Liu et al. 2024, arXiv 2405.16436.
    """

    type: Literal["rpo"]
    beta: float = Field(0.01, gt=0)
    """Strength of the pull towards the base; the paper's."""
    sft_weight: float = Field(0.005, ge=0)
    """Weight of the better answer's negative log-likelihood; 0 is DPO."""
    sft_reduction: Literal["mean", "sum"] = "mean"
    """Over the answer's tokens. mean: as in TRL's preset, from which the default weight comes; sum:
    as written in the paper."""


class MmDpoMethodSpec(PairMethodBase):
    """DPO whose beta grows with the pair's lead in score: sure pairs count for more.

    Zhang et al. 2025 (MM-RLHF), arXiv 2502.10391.
    """

    type: Literal["mm_dpo"]
    margin_weight: float = Field(0.5, ge=0)
    """How far beta grows: up to beta times (1 + this); 0 is DPO. Assumed: the paper's release sets
    0.1."""
    margin_rate: float = Field(0.5, gt=0)
    """How fast it grows with the weighted standardised lead. Assumed."""


class ProMethodSpec(PairMethodBase):
    """DPO whose weights are a launch's times a prompt's own, learnt from the preferred answers.

    Liu et al. 2025, arXiv 2511.10656.
    """

    type: Literal["pro"]
    temperature: float = Field(1.0, gt=0)
    """Of the softmax that makes weights of a preferred answer's scores; smaller is sharper."""
    entropy_floor: float = Field(0.5, ge=0, le=1)
    """Least entropy of the weights to learn, as a share of that of equal weights; 1 makes every
    prompt's weights equal, which is plain DPO."""
    ridge: float = Field(0.01, gt=0)
    """Pull of a prompt's weights towards those of the average prompt."""


PairMethodSpec = (
    DpoMethodSpec
    | FDpoMethodSpec
    | IpoMethodSpec
    | LnDpoMethodSpec
    | MmDpoMethodSpec
    | ModpoMethodSpec
    | ProMethodSpec
    | RpoMethodSpec
)
"""The methods on preference pairs."""


class LipoMethodSpec(MethodBase, WeighsWithinPrompts):
    """Listwise preference optimisation: all pairs of a list, weighted by what a swap would cost.

    `batch_size` counts lists. Liu et al. 2024, arXiv 2402.01878.
    """

    type: Literal["lipo"]
    beta: float = Field(0.1, gt=0)
    """Strength of the pull towards the base. Assumed: that of DPO."""
    list_size: int = Field(8, ge=2)
    """Answers in a list: the best, the worst and those evenly between them in rank; all of a
    prompt's distinct answers where there are fewer."""
    weighting: Literal["lambda", "uniform"] = "lambda"
    """lambda: by gain and rank, as LambdaRank; uniform: each pair counts the same, so that lists
    of two are DPO."""


class BcoMethodSpec(MethodBase, WeighsWithinPrompts):
    """Binary classifier optimisation: answers above a score are good, the others bad; no pairs.

    `batch_size` counts answers. Jung et al. 2024, arXiv 2404.04656.
    """

    type: Literal["bco"]
    beta: float = Field(0.01, gt=0)
    """Strength of the pull towards the base; the paper's."""
    quantile: float = Field(0.5, gt=0, lt=1)
    """Share of the answers to each prompt, by weighted standardised score, that are bad; of all
    answers, whatever their prompts, with `standardise: global`."""
    match_prompts: bool = True
    """Weigh bad answers so that their prompts are spread like those of the good ones."""
    min_importance: float = Field(0.5, gt=0, le=1)
    """Floor of such a weight."""
    max_importance: float = Field(10.0, ge=1)
    """Its ceiling."""
