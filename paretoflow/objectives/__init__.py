"""Scorers of answers, one module per YAML tag.

To add an objective: join the union in `spec/objectives.py`, write `objectives/<tag>.py` with a
class whose constructor takes `(spec, context)` and which has the `score` of
`core.protocols.Objective`, add its line to `TAGS`, and an example to
`tests/contracts/test_objectives.py`. A user's own function needs none of this: `type: import` names
it by path.

Scores are raw and in the objective's own unit; direction, range and reference value are not used
here. A scorer need not check its own output: `scoring.panel` does.
"""

from __future__ import annotations

import importlib

from paretoflow.core.protocols import Objective
from paretoflow.objectives.context import ObjectiveContext, TokenCounter, TokenIds
from paretoflow.spec.objectives import ObjectiveSpec
from paretoflow.storage import Root

TAGS = {
    "length": "paretoflow.objectives.length:LengthObjective",
    "rouge": "paretoflow.objectives.rouge:RougeObjective",
    "grounding": "paretoflow.objectives.grounding:GroundingObjective",
    "regex": "paretoflow.objectives.regex:RegexObjective",
    "reward_model": "paretoflow.objectives.reward_model:RewardModelObjective",
    "import": "paretoflow.objectives.import_:ImportObjective",
    "judge": "paretoflow.objectives.judge:JudgeObjective",
    "system": "paretoflow.objectives.system:SystemObjective",
}
"""Module and class of each objective, imported on first use."""

VERSIONS = dict.fromkeys(TAGS, 1)
"""Version of each scorer. It increases whenever the same answer gets a different score, so that a
sweep notices when its scorer has changed."""


def build(
    spec: ObjectiveSpec,
    *,
    count_tokens: TokenCounter | None = None,
    device: str = "cpu",
    token_ids: TokenIds | None = None,
    root: Root | None = None,
) -> Objective:
    """Build the scorer that a spec describes.

    Args:
        spec: One entry of `objectives`.
        count_tokens: Counts the tokens of each text with the base model's tokenizer; None when no
            tokenizer is loaded.
        device: Device of reward models, for instance "cpu" or "cuda:0".
        token_ids: Encodes texts with the base model's tokenizer; None when none is loaded.
        root: Sweep's folder, where a judge's replies are kept; None keeps them in memory.

    Raises:
        UserError: If the spec names something that cannot be built: see the class for its tag.
    """
    module, name = TAGS[spec.type].split(":")
    objective: Objective = getattr(importlib.import_module(module), name)(
        spec, ObjectiveContext(count_tokens, device, token_ids, root)
    )
    return objective
