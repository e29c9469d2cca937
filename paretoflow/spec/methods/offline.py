"""Methods that learn from the base's scored answers, without sampling in training."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from paretoflow.spec.methods.base import EarlyStopSpec, MethodBase, WeighsWithinPrompts

DPO_BETA = 1.0
"""Default beta of DPO. At 0.1, the usual value for human preferences, long runs on the base's own
answers collapse; see `DpoMethodSpec`."""
LOOKS = 2
"""Default number of evaluated checkpoints of a run."""
IPO_BETA = 1.0
"""Default beta of IPO: half a nat per token."""


class PairMethodBase(MethodBase, WeighsWithinPrompts):
    """Fields of the methods on preference pairs.

    The pairs are the base's own answers; scores are standardised before they are weighted, see
    `standardise`.
    """

    beta: float = Field(0.1, gt=0)
    """KL coefficient; smaller values move further from the base."""
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
    """KL coefficient; smaller values move further from the base. Unset with `loss: ipo`: as for
    `ipo`."""
    checkpoint_every: int | None = Field(None, ge=1)
    """Steps between evaluated checkpoints, each a candidate for the front; unset: half-way and at
    the end, since a run may be better before its end; null: only the last."""
    early_stop: EarlyStopSpec | None = EarlyStopSpec()
    """Ends a run early, as finished, when its likelihoods are over-optimised; null: never."""

    @model_validator(mode="after")
    def _by_loss_and_steps(self) -> Self:
        """Fill in unset fields before the spec is frozen."""
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
    """soft: the anchoring objective's better answer wins with the probability of its lead in score,
    so that the best policy is the base reweighted by exp(w.r / beta); hard: it always wins, as with
    a single human label, and the anchor then dominates the others for any weights."""


class IpoMethodSpec(PairMethodBase):
    """Identity preference optimisation: a squared loss that pulls margins to 1 / (2 beta).

    The same as `dpo` with `loss: ipo`. Azar et al. 2023, arXiv 2310.12036.
    """

    type: Literal["ipo"]
    beta: float = Field(IPO_BETA, gt=0)
    """Log-ratios are means over tokens, so 1 / (2 beta) is in nats per token: half a nat by
    default, ten nats over an answer of 20 tokens. DPO's 0.1 would mean five nats per token, which
    no pair reaches, so that margins would be unbounded."""


class LnDpoMethodSpec(PairMethodBase):
    """DPO on log-ratios per token, so that a long answer has no advantage by its length.

    Ahrabian et al. 2024, arXiv 2407.15229.
    """

    type: Literal["ln_dpo"]
    beta: float = Field(5.0, gt=0)
    """KL coefficient, ten to a hundred times that of DPO: a log-ratio per token is as many times
    smaller than the sum as the answer has tokens."""


class FDpoMethodSpec(PairMethodBase):
    """DPO with a divergence from the base other than the reverse Kullback-Leibler.

    Wang et al. 2023, arXiv 2309.16240.
    """

    type: Literal["f_dpo"]
    divergence: Literal["reverse_kl", "forward_kl", "js", "alpha"] = "js"
    """reverse_kl is DPO; js (Jensen-Shannon) lies between it and forward_kl, as does alpha."""
    alpha: float = Field(0.5, ge=0, le=1)
    """Parameter of divergence alpha, as in the paper: 0 is reverse_kl, 1 is forward_kl."""


class RpoMethodSpec(PairMethodBase):
    """DPO with a likelihood term on the better answer, against over-optimisation.

    Liu et al. 2024, arXiv 2405.16436.
    """

    type: Literal["rpo"]
    beta: float = Field(0.01, gt=0)
    """KL coefficient, as in the paper."""
    sft_weight: float = Field(0.005, ge=0)
    """Weight of the better answer's negative log-likelihood; 0 is DPO."""
    sft_reduction: Literal["mean", "sum"] = "mean"
    """Reduction over the answer's tokens. mean: as in TRL's preset, the source of the default
    weight; sum: as written in the paper."""


class MmDpoMethodSpec(PairMethodBase):
    """DPO whose beta grows with the pair's lead in score.

    Zhang et al. 2025 (MM-RLHF), arXiv 2502.10391.
    """

    type: Literal["mm_dpo"]
    margin_weight: float = Field(0.5, ge=0)
    """Maximum growth of beta: up to beta times (1 + this); 0 is DPO. Assumed: the paper's release
    sets 0.1."""
    margin_rate: float = Field(0.5, gt=0)
    """Rate of this growth with the weighted standardised lead. Assumed."""


class ProMethodSpec(PairMethodBase):
    """DPO whose weights are a launch's times a prompt's own, learnt from the preferred answers.

    Liu et al. 2025, arXiv 2511.10656.
    """

    type: Literal["pro"]
    temperature: float = Field(1.0, gt=0)
    """Temperature of the softmax from a preferred answer's scores to weights; smaller is
    sharper."""
    entropy_floor: float = Field(0.5, ge=0, le=1)
    """Least entropy of the weights to learn, as a share of that of equal weights; 1 makes every
    prompt's weights equal, which is plain DPO."""
    ridge: float = Field(0.01, gt=0)
    """Regularisation of a prompt's weights towards those of the average prompt."""


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
    """Listwise preference optimisation: all pairs of a list, weighted by the cost of a swap.

    `batch_size` counts lists. Liu et al. 2024, arXiv 2402.01878.
    """

    type: Literal["lipo"]
    beta: float = Field(0.1, gt=0)
    """KL coefficient. Assumed: that of DPO."""
    list_size: int = Field(8, ge=2)
    """Maximum answers in a list: the best, the worst and answers at even ranks between them; all of
    a prompt's distinct answers if there are fewer."""
    weighting: Literal["lambda", "uniform"] = "lambda"
    """lambda: by gain and rank, as LambdaRank; uniform: each pair has equal weight, so that lists
    of two are DPO."""


class BcoMethodSpec(MethodBase, WeighsWithinPrompts):
    """Binary classifier optimisation: answers above a score are good, the others bad; no pairs.

    `batch_size` counts answers. Jung et al. 2024, arXiv 2404.04656.
    """

    type: Literal["bco"]
    beta: float = Field(0.01, gt=0)
    """KL coefficient, as in the paper."""
    quantile: float = Field(0.5, gt=0, lt=1)
    """Share of the answers to each prompt, by weighted standardised score, that are bad; with
    `standardise: global` the share of all answers together."""
    match_prompts: bool = True
    """Weight bad answers so that their prompts have the distribution of the good ones."""
    min_importance: float = Field(0.5, gt=0, le=1)
    """Lower bound of these weights."""
    max_importance: float = Field(10.0, ge=1)
    """Upper bound of these weights."""


class KtoMethodSpec(MethodBase, WeighsWithinPrompts):
    """Kahneman-Tversky optimisation: answers that are good or bad, without pairs.

    `batch_size` counts answers. Ethayarajh et al. 2024, arXiv 2402.01306.
    """

    type: Literal["kto"]
    beta: float = Field(0.1, gt=0)
    """KL coefficient, as in the paper."""
    quantile: float = Field(0.5, gt=0, lt=1)
    """Share of the scored answers to each prompt, by weighted standardised score, that are bad."""
    desirable_weight: float = Field(1.0, gt=0)
    """Weight of good answers."""
    undesirable_weight: float = Field(1.0, gt=0)
    """Weight of bad answers."""


class SftMethodSpec(MethodBase, WeighsWithinPrompts):
    """Supervised training on each prompt's best answer, or on the chosen ones of given pairs.

    `batch_size` counts answers. Dong et al. 2023, arXiv 2304.06767.
    """

    type: Literal["sft"]


class SimpoMethodSpec(PairMethodBase):
    """Simple preference optimisation: likelihoods per token, a margin, and no reference.

    Meng et al. 2024, arXiv 2405.14734.
    """

    type: Literal["simpo"]
    beta: float = Field(2.0, gt=0)
    """Scale of the difference of log-likelihoods per token, as in the paper."""
    gamma: float = Field(1.0, ge=0)
    """Margin that a better answer should have, in units of the scaled difference."""
