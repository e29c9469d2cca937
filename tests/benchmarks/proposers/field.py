"""The participants: every proposer of ours that trains, and the peers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pydantic import TypeAdapter

from paretoflow.core.protocols import Proposer
from paretoflow.proposers import TAGS, build, resolve_tag
from paretoflow.spec.proposers import AutoProposerSpec, CmorlProposerSpec, ProposerSpec
from tests.benchmarks.proposers.botorch_peer import BotorchPeer
from tests.benchmarks.proposers.optuna_peers import OptunaPeer, gp, nsga2, tpe
from tests.benchmarks.proposers.peers import Generational, Greedy
from tests.benchmarks.proposers.problems import Target

RUNS = 64
"""Budget of a sweep."""
MERGING = ("map", "soups", "merge_screen")
"""Their launches mix adapters, which these oracles have none of."""

SPARED = ("psl", "svh_psl", "reevaluate")
"""Those that meet fewer problems: learnt sets have little to learn over weights alone, and the last
passes on another's launches."""


@dataclass(frozen=True)
class Setting:
    """The setting that a proposer is built for.

    Args:
        target: The front; only the upper bound may use it.
        runs: Budget.
        workers: How many runs are in training at a time.
    """

    target: Target
    runs: int
    workers: int


@dataclass(frozen=True)
class Entrant:
    """One that takes part.

    Args:
        name: Unique.
        build: Returns a fresh one for a sweep.
        ours: Whether it is a tag of `proposers.TAGS`.
        slow: Whether a decision takes so long that it meets fewer problems, with fewer runs.
        race: Whether it takes part in comparisons of their own alone: of wall clocks, of budgets.
    """

    name: str
    build: Callable[[Setting], Proposer]
    ours: bool = False
    slow: bool = False
    race: bool = False


def spec_of(tag: str) -> ProposerSpec:
    """Return the spec of one of our proposers with its default knobs."""
    spec: ProposerSpec = TypeAdapter(ProposerSpec).validate_python({"type": tag})
    return spec


def our(tag: str, setting: Setting) -> Proposer:
    """Return one of our proposers with its default knobs."""
    return build(spec_of(tag), m=setting.target.m, runs=setting.runs)


def default_of(m: int) -> str:
    """Return the tag that `auto` stands for."""
    return resolve_tag(AutoProposerSpec(), m, RUNS)


def entrants() -> dict[str, Entrant]:
    """Return everyone by name, ours first."""
    tags = [tag for tag in TAGS if tag not in MERGING]
    ours = [Entrant(t, partial(our, t), ours=True, slow=t in SPARED) for t in tags]
    peers = [
        Entrant("auto", partial(_auto, AutoProposerSpec()), race=True),
        Entrant("auto_before", partial(_auto, AutoProposerSpec(lead=0)), race=True),
        Entrant("cmorl_beta", _cmorl_beta),
        Entrant("optuna_nsga2", lambda s: OptunaPeer("optuna_nsga2", nsga2, s.target.m)),
        Entrant("optuna_tpe", lambda s: OptunaPeer("optuna_tpe", tpe, s.target.m)),
        Entrant("optuna_gp", lambda s: OptunaPeer("optuna_gp", gp, s.target.m), slow=True),
        Entrant("botorch_nehvi", lambda s: BotorchPeer(s.target.m), slow=True),
        Entrant(BOUND, lambda s: Greedy(s.target)),
        Entrant(GENERATIONAL, _generational, race=True),
    ]
    return {entrant.name: entrant for entrant in (*ours, *peers)}


def _auto(spec: AutoProposerSpec, setting: Setting) -> Proposer:
    return build(spec, m=setting.target.m, runs=setting.runs)


BOUND = "greedy"
"""The one that knows the front."""
GENERATIONAL = "cmorl_generational"
"""C-MORL with the barrier that its code has: a launch for each worker, then a wait for them all."""


def _generational(setting: Setting) -> Proposer:
    select = max(1, setting.workers // setting.target.m)
    spec = CmorlProposerSpec(type="cmorl", beta=0.9, select=select)
    return Generational(build(spec, m=setting.target.m, runs=setting.runs))


def _cmorl_beta(setting: Setting) -> Proposer:
    """C-MORL with the paper's own slack."""
    spec = CmorlProposerSpec(type="cmorl", beta=0.9)
    return build(spec, m=setting.target.m, runs=setting.runs)
