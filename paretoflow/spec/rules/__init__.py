"""All rules between the fields of a sweep YAML, one module per subject.

A rule is checked only here: code that trains, proposes or scores relies on it, since `check`,
`run`, `submit`, `simulate` and `resume` all call `faults_in` before any work.

A rule sees a `Draft`: the parts that are valid by themselves, so that it works even when another
part is faulty. To add a rule, write it in its subject's module and add it to `RULES` there. Limits
of a single field are declared at the field, in `spec`.
"""

from __future__ import annotations

from paretoflow.spec.draft import Draft, Rule
from paretoflow.spec.positions import Fault
from paretoflow.spec.rules import (
    data,
    engine,
    generation,
    given,
    lora,
    method,
    model,
    objectives,
    places,
    proposer,
    trainer,
)
from paretoflow.spec.rules.search import search_faults

RULES: tuple[Rule, ...] = (
    *objectives.RULES,
    *data.RULES,
    *given.RULES,
    *model.RULES,
    *lora.RULES,
    *generation.RULES,
    *method.RULES,
    *trainer.RULES,
    *proposer.RULES,
    *engine.RULES,
    *places.RULES,
)


def faults_in(draft: Draft, *, files: bool, simulated: bool = False) -> list[Fault]:
    """Return every fault of a draft, including launches with settings of `search`.

    Args:
        draft: The valid parts of a sweep YAML.
        files: Whether the files and folders in it must exist on this machine.
        simulated: Whether the sweep is simulated, without a base.
    """
    found = [fault for rule in RULES for fault in rule(draft)]
    found += places.named_files(draft) if files else ()
    found += objectives.undeclared(draft) if simulated else ()
    return [*found, *search_faults(draft, RULES)]
