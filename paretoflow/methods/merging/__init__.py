"""Launches that mix adapters instead of training: they take the checkpoints of any method.

    cat           rewarded soups: the exact mix, ranks add
    svd           the same, cut to `rank` by singular values
    factors       averages of LoRA factors, as in the authors' code; not the exact mix
    peft_linear   PEFT's "linear", with square roots of the coefficients; not the exact mix
    frank_wolfe   finds a coefficient for each module by a target loss on a few pairs
    ibcl          mixes the means of checkpoints, or draws from their posteriors

How to add one (the tag is `Merge.how`): a function `(MethodContext, AttemptContext) -> Mixed` in a
module here, one line in `WAYS`, and its tag in `spec.proposers.MergeWay`.

Importing this package loads no torch.
"""

from __future__ import annotations

__all__ = ["WAYS"]

WAYS = {
    "cat": "paretoflow.methods.merging.soups:stacked",
    "factors": "paretoflow.methods.merging.soups:averaged",
    "frank_wolfe": "paretoflow.methods.merging.frank_wolfe:frank_wolfe",
    "ibcl": "paretoflow.methods.merging.ibcl:from_posteriors",
    "peft_linear": "paretoflow.methods.merging.soups:linear",
    "svd": "paretoflow.methods.merging.soups:truncated",
}
"""`Merge.how` to `module:function`."""
