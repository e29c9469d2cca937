"""Rewarded soups: mix parents by given coefficients, exactly or as in other codes."""

from __future__ import annotations

from paretoflow.core.protocols import AttemptContext
from paretoflow.lm.merging import averaged_factors, concatenated, decomposed, peft_linear
from paretoflow.methods.merging.mixed import Mixed, asked, coefficients_of, option, parents_of
from paretoflow.methods.training.context import MethodContext


def stacked(context: MethodContext, attempt: AttemptContext) -> Mixed:
    """Mix exactly: the model's weights are theta_0 + sum_i c_i (theta_i - theta_0).

    References:
        Ramé et al. 2023, arXiv 2306.04488, sec. 2.2: theta = sum_i lambda_i theta_i, which with
        coefficients that sum to one is this. Departure: the change of the weights is averaged, not
        the LoRA factors as in the authors' code (`averaged`).
    """
    return Mixed(concatenated(parents_of(attempt), coefficients_of(asked(attempt.launch))))


def truncated(context: MethodContext, attempt: AttemptContext) -> Mixed:
    """Mix exactly, then keep the largest singular values; option `rank`, the spec's if unset."""
    merge = asked(attempt.launch)
    rank = int(option(merge, "rank", context.lora.rank))
    return Mixed(decomposed(concatenated(parents_of(attempt), coefficients_of(merge)), rank))


def averaged(context: MethodContext, attempt: AttemptContext) -> Mixed:
    """Average the factors, as the authors' code does for LoRA: has cross terms B_i A_j."""
    return Mixed(averaged_factors(parents_of(attempt), coefficients_of(asked(attempt.launch))))


def linear(context: MethodContext, attempt: AttemptContext) -> Mixed:
    """Add the factors with square roots of the coefficients, as PEFT's "linear" does."""
    return Mixed(peft_linear(parents_of(attempt), coefficients_of(asked(attempt.launch))))
