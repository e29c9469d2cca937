"""Every rule that holds between the fields of a sweep YAML, a module for each subject.

A rule stands once, here: what trains, proposes or scores takes for granted that it holds, since
`check`, `run`, `submit`, `simulate` and `resume` all ask `faults_in` before anything is spent.

A rule sees a `Draft`: the parts that are valid by themselves, so that it can speak even when
another part is at fault. To add one, write it in its subject's module and put it into `RULES`
there. What a single field allows is said by the field, in `spec`.
"""

from __future__ import annotations

from paretoflow.spec.draft import Draft, Rule
from paretoflow.spec.positions import Fault
from paretoflow.spec.rules import data, engine, given, method, model, objectives, places, proposer
from paretoflow.spec.rules.search import search_faults

RULES: tuple[Rule, ...] = (
    *objectives.RULES,
    *data.RULES,
    *given.RULES,
    *model.RULES,
    *method.RULES,
    *proposer.RULES,
    *engine.RULES,
    *places.RULES,
)


def faults_in(draft: Draft, *, files: bool, simulated: bool = False) -> list[Fault]:
    """Return every fault of a draft, those of launches with settings of `search` included.

    Args:
        draft: The valid parts of a sweep YAML.
        files: Whether the files and folders that it names must be on this machine.
        simulated: Whether it is to be simulated, without a base.
    """
    found = [fault for rule in RULES for fault in rule(draft)]
    found += places.named_files(draft) if files else ()
    found += objectives.undeclared(draft) if simulated else ()
    return [*found, *search_faults(draft, RULES)]
