"""The planner: decides what to do next, as a pure function of the spec and the state.

Replaying a ledger replays every decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from paretoflow import proposers
from paretoflow.core.ids import run_id_of, snapshot_id_of
from paretoflow.core.launch import AdapterRef, Launch, PriorEvaluation
from paretoflow.core.protocols import Proposer
from paretoflow.core.values import BASE_RUN_ID, FloatArray, LaunchKind, Proposal
from paretoflow.engine.messages import Cause, Failure
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.front.orient import gains_of
from paretoflow.spec.capabilities import CAPABILITIES
from paretoflow.spec.search import axes_of
from paretoflow.spec.sweep import SweepSpec

DEATHS = 5
"""Further attempts of a run whose process died: the machine may be to blame, or the run."""


@dataclass(frozen=True)
class Decision:
    """The planner's next actions.

    Args:
        relaunches: Known runs to (re)start, oldest first.
        proposals: (run id, proposal) of new runs to record and start.
        done: Reason why nothing further is proposed; empty while proposals may follow. The sweep is
            over once no run is open and the reason still holds.
    """

    relaunches: tuple[Launch, ...] = ()
    proposals: tuple[tuple[str, Proposal], ...] = ()
    done: str = ""


def proposer_of(spec: SweepSpec) -> Proposer:
    """Build the proposer of a sweep."""
    m, launches = len(spec.objectives), CAPABILITIES[spec.method.type].launches
    axes = axes_of(spec.search, spec.method)
    return proposers.build(spec.proposer, m=m, runs=spec.stop.runs, launches=launches, axes=axes)


def decide(
    spec: SweepSpec,
    state: SweepState,
    proposer: Proposer,
    free: int,
    risen: Sequence[str] = (),
) -> Decision:
    """Fill `free` slots: runs that wait for another attempt, then paused ones, then new proposals.

    Args:
        spec: Spec of the sweep.
        state: State of the sweep.
        proposer: Chooses new runs.
        free: Number of idle worker groups.
        risen: Paused runs that should continue, as far as the budget allows.
    """
    done = exhausted(spec, state)
    again = () if not risen or spent(spec, state) else tuple(risen)
    waiting = (*(r.run_id for r in state.waiting_runs()), *again)
    relaunches = tuple(launch_of(spec, state, run_id) for run_id in waiting[:free])
    room = min(free - len(relaunches), spec.stop.runs - len(state.runs))
    if done or room <= 0:
        return Decision(relaunches, done=done)
    open_proposals = [*state.open_proposals(), *(state.runs[r].proposal for r in again)]
    chosen = proposer.propose(state.history(), open_proposals, room, spec.seed)[:room]
    if not chosen and not open_proposals:
        return Decision(relaunches, done="the proposer has nothing more to propose")
    first = len(state.runs)
    named = tuple((run_id_of(first + i, p.to_dict()), p) for i, p in enumerate(chosen))
    return Decision(relaunches, named)


def launch_of(spec: SweepSpec, state: SweepState, run_id: str) -> Launch:
    """Build the next attempt of a known run; an attempt number is never used twice."""
    run = state.runs[run_id]
    attempt = run.attempt + 1 if run_id in state.started_at else 0
    full = state.failures.of(run_id, Cause.OUT_OF_MEMORY)
    factor = accumulation_factor(spec, full) or 1
    first = first_launch(state, run_id, run.proposal)
    return replace(first, attempt=attempt, accumulation_factor=factor)


def first_launch(state: SweepState, run_id: str, proposal: Proposal) -> Launch:
    """Build the first attempt of a run that the state knows as proposed."""
    front = state.front_gains
    return Launch(
        run_id,
        0,
        proposal,
        parent=adapter_of(state, proposal.parent or BASE_RUN_ID),
        merged=_merged(state, proposal),
        known=known_of(state, run_id, proposal),
        front=front if len(front) else None,
        parent_gains=parent_gains(state, proposal),
    )


def adapter_of(state: SweepState, snapshot_id: str) -> AdapterRef | None:
    """Return the adapter of an evaluated checkpoint; None for the base."""
    if snapshot_id == BASE_RUN_ID:
        return None
    row = state.row_of(snapshot_id)
    return AdapterRef(row.path, row.digest)


def _merged(state: SweepState, proposal: Proposal) -> tuple[AdapterRef, ...]:
    parents = proposal.merge.parents if proposal.merge else ()
    rows = [state.row_of(parent) for parent in parents]
    return tuple(AdapterRef(row.path, row.digest) for row in rows)


def parent_gains(state: SweepState, proposal: Proposal) -> FloatArray | None:
    """Return the gains of the parent that a constrained launch extends; None for any other."""
    if proposal.kind is not LaunchKind.CONSTRAINED or state.problem is None:
        return None
    row = state.row_of(proposal.parent or BASE_RUN_ID)
    return gains_of(row.scores, state.problem)


def known_of(state: SweepState, run_id: str, proposal: Proposal) -> PriorEvaluation | None:
    """Return the checkpoint that a launch evaluates again; None for other launches."""
    if proposal.kind is not LaunchKind.REEVALUATE:
        return None
    row = state.row_of(proposal.parent or BASE_RUN_ID)
    run = state.runs.get(row.run_id)
    plain = snapshot_id_of(row.run_id, row.attempt, row.step)
    return PriorEvaluation(
        snapshot_id=row.snapshot_id,
        run_id=row.run_id,
        attempt=row.attempt,
        step=row.step,
        number=state.again.number(run_id),
        data=row.data,
        conditioned=row.snapshot_id not in (BASE_RUN_ID, plain),
        proposal=run.proposal if run else None,
        inputs=row.inputs,
    )


def accumulation_factor(spec: SweepSpec, times: int) -> int | None:
    """Return the factor by which forward batches shrink after running out of memory `times` times.

    They halve each time, to the next size that divides the batch evenly. None when a worker's batch
    holds one example already. By hand: 12 examples for each worker and pass give 1, 2, 4, 12, None.
    """
    method = spec.method
    size = method.batch_size // (method.gradient_accumulation * spec.engine.resources.ranks)
    shares = (n for n in range(2**times, size + 1) if size % n == 0)
    return 1 if times == 0 else next(shares, None)


def exhausted(spec: SweepSpec, state: SweepState) -> str:
    """Return the reason why the budget allows no further run; empty while it does."""
    if failing(spec, state):
        return failing(spec, state)
    if len(state.runs) >= spec.stop.runs:
        return f"all {spec.stop.runs} runs are launched"
    return spent(spec, state)


def spent(spec: SweepSpec, state: SweepState) -> str:
    """Return the reason why the budget allows no training beyond open runs; empty while it does."""
    stop = spec.stop
    if failing(spec, state):
        return failing(spec, state)
    if stop.hours is not None and state.elapsed_s() >= stop.hours * 3600:
        return f"{stop.hours:g} hours are used up"
    spent = spec.engine.price * state.cost.device_s / 3600 + state.judged
    if stop.cost is not None and spent >= stop.cost:
        return f"a cost of {stop.cost:g} is reached"
    if stop.stagnation is not None and stagnant(state, stop.stagnation.runs, stop.stagnation.gain):
        gain = f"raised the hypervolume by less than {stop.stagnation.gain:.1%}"
        return f"the last {stop.stagnation.runs} runs {gain}"
    return _unrewarding(state, stop.gain_below) if stop.gain_below is not None else ""


def failing(spec: SweepSpec, state: SweepState) -> str:
    """Return the failure that too many consecutive runs share; empty while there is none.

    The limit is `stop.failures` runs, or all runs in a sweep of fewer.
    """
    streak, limit = state.failures.streak, spec.stop.failures
    if limit is None or len(streak) < min(limit, spec.stop.runs):
        return ""
    runs = "the only run" if spec.stop.runs == 1 else f"{len(streak)} runs in a row"
    return f"{runs} failed alike, at the boundary {streak.boundary}: {streak.message}"


def _unrewarding(state: SweepState, gain_below: float) -> str:
    """Return the reason that another run would gain too little; empty while it would not.

    Open runs may change that: until they have ended, nothing is launched and the sweep is not over.
    """
    outlook = state.outlook()
    if outlook is None or outlook.per_run >= gain_below:
        return ""
    gain = f"{outlook.per_run:.2%} ({outlook.low:.2%} to {outlook.high:.2%})"
    return f"a further run should add {gain} of the hypervolume, less than {gain_below:.2%}"


def is_final(spec: SweepSpec, state: SweepState, run_id: str, failure: Failure) -> bool:
    """Check whether a failure is the run's last; the state does not include it yet."""
    times = state.failures.of(run_id, failure.cause) + 1
    if failure.cause is Cause.OUT_OF_MEMORY:
        return accumulation_factor(spec, times) is None
    engine = spec.engine
    allowed = {
        Cause.LOST: engine.limits.losses,
        Cause.OUTAGE: engine.limits.losses,
        Cause.DIED: max(engine.retries, DEATHS),
    }
    return not failure.retryable or times > allowed.get(failure.cause, engine.retries)


def stagnant(state: SweepState, window: int, gain: float) -> bool:
    """Check whether `window` finished runs raised the hypervolume by less than a share `gain`.

    Runs that evaluate a known point again do not count, as they are no attempt to raise it.
    """
    if len(state.gained) <= window:
        return False
    before, after = state.gained[-1 - window], state.gained[-1]
    return after > 0 and after - before < gain * after
