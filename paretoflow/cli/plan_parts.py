"""The plan of a sweep for a person: tables of objectives, settings, first launches and cost."""

from __future__ import annotations

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from paretoflow.cli.plan import Plan, paid_judges, served_of, trained_runs
from paretoflow.spec.capabilities import CAPABILITIES
from paretoflow.spec.data import DataSpec, row_sources
from paretoflow.spec.data_given import GivenSpec
from paretoflow.spec.engine import ResourcesSpec
from paretoflow.spec.objectives import ObjectiveSpec
from paretoflow.spec.search import axes_of
from paretoflow.spec.sweep import SweepSpec

_LEARNT = {
    "pairs": "pairs",
    "lists": "lists",
    "scored": "scored answers",
    "prompts": "answers sampled on the way",
}


def plan_parts(spec: SweepSpec, plan: Plan) -> list[RenderableType]:
    """Return the plan for a person, part by part."""
    name, folder = escape(spec.name), escape(plan.folder)
    news = "a sweep exists there, and run continues it" if plan.exists else "new"
    return [
        f"[bold]{name}[/bold] is valid; it lives in {folder} ({news})",
        "",
        _objectives(spec),
        "",
        _sections(spec, plan),
        "",
        _opening(spec, plan),
        "",
        _estimate(spec, plan),
    ]


def _objectives(spec: SweepSpec) -> Table:
    table = _table("objective", "type", "direction", "unit", "range", "ref")
    for objective in spec.objectives:
        low_high = objective.range
        table.add_row(
            escape(objective.name),
            objective.type,
            objective.direction.value,
            escape(objective.unit),
            "calibrated at the start"
            if low_high is None
            else f"{low_high[0]:g} to {low_high[1]:g}",
            _ref(objective),
        )
    return table


def _ref(objective: ObjectiveSpec) -> str:
    if objective.ref is not None:
        return f"{objective.ref:g}"
    return (
        "calibrated at the start"
        if objective.range is None
        else "a tenth of the range beyond its worse end"
    )


def _group(resources: ResourcesSpec) -> str:
    """Return the resources of one worker group, in words."""
    gpus, ranks = resources.gpus_per_rank, resources.ranks
    rank = f"{resources.cpus_per_rank:g} CPU" + (f" and {gpus:g} GPU" if gpus else "")
    sharded = f", DeepSpeed ZeRO {resources.zero}" if ranks > 1 or resources.zero else ""
    labels = "".join(f", on {k}={v}" for k, v in resources.labels.items())
    return (rank if ranks == 1 else f"{ranks} ranks of {rank}") + sharded + labels


def _sections(spec: SweepSpec, plan: Plan) -> Table:
    model, data, method, engine = spec.model, spec.data, spec.method, spec.engine
    chosen = f" (auto, {len(spec.objectives)} objectives)" if spec.proposer.type == "auto" else ""
    each = _group(engine.resources)
    rows = {
        "model": f"{model.type} {escape(getattr(model, 'path', ''))}".rstrip(),
        "data": f"{data.type} {escape(_read_from(data))}".rstrip()
        + f": {data.train} train, {data.eval} eval, {data.validation} validation prompts",
        "method": f"{method.type} ({_capabilities(spec)}), "
        f"{method.steps} steps of {method.batch_size}",
        "proposer": plan.proposer + chosen,
        "search": _axes(spec),
        "worker groups": f"{engine.worker_groups} with {each} each; "
        f"{engine.retries} retries after a failure",
        "stops": f"at {' or '.join(_limits(spec))}",
    }
    if not spec.search:
        del rows["search"]
    return _pairs(rows)


def _read_from(data: DataSpec) -> str:
    if isinstance(data, GivenSpec):
        return ", ".join(source.path for source in row_sources(data))
    return getattr(data, "path", "")


def _axes(spec: SweepSpec) -> str:
    """Return the settings that launches choose beside weights, and their values."""
    return ", ".join(
        f"{escape(axis.name)} {', '.join(f'{v:g}' for v in axis.choices)}"
        if axis.choices
        else f"{escape(axis.name)} {axis.low:g} to {axis.high:g}{' (log)' if axis.log else ''}"
        for axis in axes_of(spec.search, spec.method)
    )


def _capabilities(spec: SweepSpec) -> str:
    can = CAPABILITIES[spec.method.type]
    data = "scored answers" if can.data == "scored" else can.data
    return f"{can.kind}, learns from {data}"


def _limits(spec: SweepSpec) -> list[str]:
    stop = spec.stop
    limits = [f"{stop.runs} runs"]
    if stop.hours is not None:
        limits.append(f"{stop.hours:g} hours")
    if stop.cost is not None:
        limits.append(f"a cost of {stop.cost:g}")
    if stop.stagnation is not None:
        limits.append(f"{stop.stagnation.runs} runs that add less than {stop.stagnation.gain:.1%}")
    if stop.gain_below is not None:
        limits.append(f"an expected gain below {stop.gain_below:.2%} a run")
    return limits


def _opening(spec: SweepSpec, plan: Plan) -> Table:
    table = _table("first launches", *(escape(o.name) for o in spec.objectives), "why")
    for number, proposal in enumerate(plan.opening, start=1):
        weights = (f"{w:.3g}" for w in proposal.weights.values)
        table.add_row(f"{number} {proposal.kind.value}", *weights, escape(proposal.reason))
    return table


def _estimate(spec: SweepSpec, plan: Plan) -> Table:
    work, data, method, runs = plan.work, spec.data, spec.method, spec.stop.runs
    learnt = _LEARNT[CAPABILITIES[method.type].data]
    points, draws = served_of(spec)
    shared = f"{work.held_out}"
    if work.sampled:
        both = work.sampled + work.held_out
        shared = f"{data.train} x {data.candidates} + {work.held_out} = {both:,}"
    at_once = min(spec.engine.worker_groups, runs)
    rows = {
        "shared stage": f"{shared} answers sampled and scored on all objectives, once",
        "training": f"{trained_runs(spec)} runs x {method.steps} steps x {method.batch_size} = "
        f"{work.trained:,} {learnt}",
        "merging": f"at most {work.merges} runs mix adapters of the others: nothing is trained, "
        "and each is evaluated once",
        "evaluation": f"{work.evaluations} checkpoints (base included) x {data.eval} prompts"
        + (f" x {draws} answers (the base's once)" if draws > 1 else "")
        + " = "
        f"{work.evaluated:,} answers",
        "preferences": f"each checkpoint is asked for {points}, {draws} answers to each prompt; "
        "a launch's weights do not enter the training, so one run is a whole front",
        "constraints": f"at most {work.looks:,} answers to validation prompts",
        "in all": f"at most {work.answers:,} answers, {work.tokens:,} tokens; retries come on top",
        "time": f"the shared stage + {work.rounds} rounds of {at_once} at once, each a training "
        "and its evaluations; `status` knows the hours once the first runs are timed",
        "cost": _cost(spec, plan),
    }
    if points == 1:
        del rows["preferences"]
    if not work.merges:
        del rows["merging"]
    if not work.looks:
        del rows["constraints"]
    return _pairs(rows)


def _cost(spec: SweepSpec, plan: Plan) -> str:
    price, judged = spec.engine.price, paid_judges(spec)
    if judged:
        bound = "only the runs bound it: set stop.cost"
        if plan.cost_bound is not None:
            bound = f"at most {plan.cost_bound:g}, but open runs finish first"
        names = ", ".join(escape(judge.name) for judge in judged)
        return (
            f"devices at {price:g} an hour, and the tokens that {names} reads and writes; {bound}"
        )
    if plan.cost_bound is None:
        what = f"{price:g} x {plan.devices:g} devices x hours"
        return f"{what}; only the runs bound it: set stop.hours or stop.cost"
    if price == 0:
        return "not counted: engine.price is 0"
    what = f"{plan.devices:g} devices at {price:g} an hour"
    return f"at most {plan.cost_bound:g} ({what}; open runs finish first)"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    return table


def _pairs(rows: dict[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for key, value in rows.items():
        table.add_row(key, value)
    return table
