"""Rules that hold between the fields of a sweep YAML, beyond what each field allows by itself.

A rule sees a `Draft`: the parts that are valid by themselves, so that it can speak even when
another part is at fault. To add one, write it and put it into `RULES`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

from paretoflow.core.values import Direction
from paretoflow.spec.data_rules import data_columns, sources, template_arguments
from paretoflow.spec.draft import Draft
from paretoflow.spec.engine import ResourcesSpec
from paretoflow.spec.evaluation_rules import looks_again
from paretoflow.spec.launches import innermost, nested
from paretoflow.spec.local_files import named_files, storage_root
from paretoflow.spec.merging_rules import merges
from paretoflow.spec.methods import LipoMethodSpec, MethodSpec, OnlineMethodBase, RoundsBase
from paretoflow.spec.methods.aggregators import GradDynamicSpec
from paretoflow.spec.methods.online import AggregatedMethodBase
from paretoflow.spec.models import ModelSpec, PretrainedModelSpec
from paretoflow.spec.objectives import ObjectiveSpec, RegexObjectiveSpec
from paretoflow.spec.portfolio_rules import distinct_arms
from paretoflow.spec.positions import Fault
from paretoflow.spec.proposers.surrogates import MOST_CORNERED, OlsProposerSpec
from paretoflow.spec.rungs_rules import rungs
from paretoflow.spec.shape import KeyPath
from paretoflow.spec.system_rules import system_costs


def _unique_names(draft: Draft) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for index, objective in draft.objectives:
        if objective.name in first:
            what = f"two objectives are named `{objective.name}`"
            yield Fault(("objectives", index, "name"), what, "give each its own name")
        first.setdefault(objective.name, index)


def _corners(draft: Draft) -> Iterator[Fault]:
    count = len(draft.objectives)
    for place, proposer in nested(draft.proposer) if draft.proposer else ():
        if isinstance(proposer, OlsProposerSpec) and count > MOST_CORNERED:
            what = f"got ols with {count} objectives; allowed: at most {MOST_CORNERED}"
            yield Fault((*place, "type"), what, "choose gp_hvi or dirichlet")


def _ranges(draft: Draft) -> Iterator[Fault]:
    for index, objective in draft.objectives:
        if objective.range is None:
            continue
        low, high = objective.range
        if low >= high:
            what = f"got a range from {low:g} to {high:g}; allowed: the lower end first"
            hint = f"write `range: [{high:g}, {low:g}]`" if low > high else "give it a width"
            yield Fault(("objectives", index, "range"), what, hint)
        elif objective.ref is not None:
            yield from _reference(index, objective, objective.ref, (low, high))


def _reference(
    index: int, objective: ObjectiveSpec, ref: float, ends: tuple[float, float]
) -> Iterator[Fault]:
    upwards = objective.direction is Direction.MAXIMIZE
    best, worst = (ends[1], ends[0]) if upwards else ends
    if ref >= best if upwards else ref <= best:
        side = "below" if upwards else "above"
        what = (
            f"got the reference value {ref:g}; allowed: {side} {best:g}, the best end of the "
            f"range, because `{objective.name}` is to be {objective.direction.value}d"
        )
        yield Fault(("objectives", index, "ref"), what, f"the worst end is usual: `ref: {worst:g}`")


def _regexes(draft: Draft) -> Iterator[Fault]:
    for index, objective in draft.objectives:
        if not isinstance(objective, RegexObjectiveSpec):
            continue
        path: KeyPath = ("objectives", index)
        if (objective.pattern is None) == (objective.keywords is None):
            got = "neither" if objective.pattern is None else "both"
            what = f"got {got} of `pattern` and `keywords`; allowed: exactly one"
            yield Fault(path, what, "keywords are whole words, a pattern is a regular expression")
        if objective.keywords is not None and not all(objective.keywords or [""]):
            what = "got an empty list or word; allowed: at least one word"
            yield Fault((*path, "keywords"), what, "list the words that count")
        try:
            re.compile(objective.pattern or "")
        except re.error as error:
            what = f"the regular expression {objective.pattern!r} does not compile: {error}"
            yield Fault(
                (*path, "pattern"), what, "mend it; put a backslash before a literal ( ) [ ] * + ?"
            )


def _batches(draft: Draft) -> Iterator[Fault]:
    method = draft.method
    if method is None:
        return
    if isinstance(method, OnlineMethodBase) and method.batch_size % method.generations:
        group = method.generations
        what = f"got batch_size {method.batch_size}; allowed: a multiple of generations, {group}"
        above = group * (method.batch_size // group + 1)
        yield Fault(("method", "batch_size"), what, f"write `batch_size: {above}`")
    size, parts = method.batch_size, method.gradient_accumulation
    if size % parts:
        what = f"got gradient_accumulation {parts}; allowed: a divisor of batch_size, {size}"
        near = max(n for n in range(1, min(parts, size) + 1) if size % n == 0)
        path: KeyPath = ("method", "gradient_accumulation")
        yield Fault(path, what, f"write `gradient_accumulation: {near}`")
    elif draft.engine is not None and size % (parts * draft.engine.resources.ranks):
        yield _rank_share(method, draft.engine.resources.ranks)
    if method.checkpoint_every is not None and method.checkpoint_every > method.steps:
        what = f"got {method.checkpoint_every}; allowed: at most the run's steps, {method.steps}"
        yield Fault(
            ("method", "checkpoint_every"), what, "remove it to evaluate only the last step"
        )


def _rank_share(method: MethodSpec, ranks: int) -> Fault:
    size, parts = method.batch_size, method.gradient_accumulation
    passes = f" in {parts} passes each" if parts > 1 else ""
    what = f"got batch_size {size} for {ranks} ranks{passes}; allowed: a multiple of "
    what += f"{parts * ranks}"
    group = method.generations if isinstance(method, OnlineMethodBase) else 1
    share = math.lcm(parts * ranks, group)
    hint = f"write `batch_size: {share * (size // share + 1)}`, or change the ranks"
    return Fault(("method", "batch_size"), what, hint)


def _aggregation(draft: Draft) -> Iterator[Fault]:
    method = draft.method
    if draft.engine is None or not isinstance(method, AggregatedMethodBase):
        return
    resources = draft.engine.resources
    alone = resources.ranks == 1 and resources.zero == 0
    if isinstance(method.aggregation, GradDynamicSpec) and not alone:
        what = f"got grad_dynamic for {resources.ranks} ranks at zero {resources.zero}; allowed: "
        what += "1 rank at zero 0, since it takes a gradient for each objective"
        hint = "change engine.resources, or the aggregation, for instance to hv_dynamic"
        yield Fault(("method", "aggregation"), what, hint)


def _offload(draft: Draft) -> Iterator[Fault]:
    if draft.engine is None or not draft.engine.resources.offload:
        return
    if draft.engine.resources.zero == 0:
        what = "got offload at zero 0; allowed: at zero 1, 2 or 3, where there is DeepSpeed ZeRO"
        yield Fault(
            ("engine", "resources", "offload"), what, "set engine.resources.zero, or remove this"
        )


def _samples(draft: Draft) -> Iterator[Fault]:
    method = draft.method
    if not isinstance(method, RoundsBase | OnlineMethodBase):
        return
    if isinstance(method, RoundsBase) and method.opening_steps < 1:
        got = f"got {method.rounds} rounds of {method.steps_of_round} steps"
        what = (
            f"{got}; allowed: fewer than steps, {method.steps}, since the base's answers are first"
        )
        yield Fault(("method", "rounds"), what, "lower rounds or round_steps, or raise steps")
    if draft.model is not None and draft.model.generation.temperature == 0:
        what = "at temperature 0 all answers to a prompt are the same: there is nothing to choose"
        yield Fault(("model", "generation", "temperature"), what, "1.0 samples the model as it is")


def _pairs(draft: Draft) -> Iterator[Fault]:
    wanted: int | None = getattr(draft.method, "pairs_per_prompt", None)
    if isinstance(draft.method, LipoMethodSpec):
        wanted = 1
    if wanted is None:  # a method that compares no answers to one prompt
        return
    if draft.model is not None and draft.model.generation.temperature == 0:
        what = "at temperature 0 all answers to a prompt are the same, so there are no pairs"
        yield Fault(("model", "generation", "temperature"), what, "1.0 samples the model as it is")
    if draft.data is not None:
        most = draft.data.candidates * (draft.data.candidates - 1) // 2
        if wanted > most:
            what = f"got {wanted}; allowed: at most {most}, all pairs of data.candidates"
            yield Fault(
                ("method", "pairs_per_prompt"), what, "raise data.candidates, or take fewer pairs"
            )


def _budget(draft: Draft) -> Iterator[Fault]:
    if draft.stop is not None and draft.proposer is not None:
        place, proposer = innermost(draft.proposer)
        initial = getattr(proposer, "initial", None)
        if initial is not None and initial > draft.stop.runs:
            what = f"got {initial} initial runs; allowed: at most stop.runs, {draft.stop.runs}"
            yield Fault((*place, "initial"), what, "raise stop.runs, or start with fewer")
    bounded = draft.stop is not None and draft.stop.cost is not None
    if bounded and draft.engine is not None and draft.engine.price == 0:
        what = "a bound on the cost never holds while a device costs nothing"
        yield Fault(("stop", "cost"), what, "set engine.price, the cost of one device for one hour")


def _devices(draft: Draft) -> Iterator[Fault]:
    if draft.engine is None:
        return
    resources = draft.engine.resources
    gpus = resources.gpus_per_rank
    if 0 < gpus < 1 and resources.ranks > 1:
        what = f"got {gpus:g} for {resources.ranks} ranks; allowed: 0 or 1, as two ranks could "
        what += "land on one device, which their communication refuses"
        path: KeyPath = ("engine", "resources", "gpus_per_rank")
        yield Fault(path, what, "write 1, or a worker group of one rank")
    if isinstance(draft.model, PretrainedModelSpec) and draft.model.device == "cuda" and gpus == 0:
        what = "the model is to run on a GPU, and a rank gets none"
        yield Fault(
            ("model", "device"),
            what,
            "set engine.resources.gpus_per_rank to 1, or the device to auto",
        )
    yield from _precision(draft.model, resources)


def _precision(model: ModelSpec | None, resources: ResourcesSpec) -> Iterator[Fault]:
    if not isinstance(model, PretrainedModelSpec) or model.dtype == "float32":
        return
    together = resources.ranks > 1 or resources.zero > 0
    if together and (model.device == "cpu" or resources.gpus_per_rank == 0):
        what = f"got {model.dtype} on the CPU with several ranks or ZeRO; allowed: float32"
        yield Fault(("model", "dtype"), what, "write float32, or give each rank a GPU")


Rule = Callable[[Draft], Iterator[Fault]]
RULES: tuple[Rule, ...] = (
    _unique_names, _ranges, system_costs, _regexes, sources, data_columns, template_arguments,
    named_files, _batches, _aggregation, _pairs, _samples, _budget, _corners, merges, looks_again,
    rungs, distinct_arms, _devices, _offload, storage_root,
)  # fmt: skip
