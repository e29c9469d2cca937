"""What every proposer promises, over every tag; and what each reaches against an exact oracle."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import get_args

import numpy as np
import pytest

from paretoflow.core.protocols import Proposer
from paretoflow.core.values import History, LaunchKind, Proposal
from paretoflow.proposers import LONG_SWEEP, TAGS, build, resolve_tag
from paretoflow.spec.proposers import (
    AutoProposerSpec,
    CmorlHvProposerSpec,
    CmorlProposerSpec,
    DirichletProposerSpec,
    EmptyBoxProposerSpec,
    GpHviProposerSpec,
    LatticeProposerSpec,
    MapProposerSpec,
    MergeScreenProposerSpec,
    OlsProposerSpec,
    PgPredictProposerSpec,
    PortfolioProposerSpec,
    ProposerSpec,
    PslProposerSpec,
    ReevaluateProposerSpec,
    SoupsProposerSpec,
    SvhPslProposerSpec,
)
from tests.histories import (
    Front,
    bent,
    circle,
    histories,
    history_of,
    opening,
    problem_of,
    sphere,
    swept,
    weighted,
    zdt1,
)

SPECS: dict[str, ProposerSpec] = {
    "cmorl": CmorlProposerSpec(type="cmorl"),
    "cmorl_hv": CmorlHvProposerSpec(type="cmorl_hv"),
    "dirichlet": DirichletProposerSpec(type="dirichlet"),
    "empty_box": EmptyBoxProposerSpec(type="empty_box"),
    "gp_hvi": GpHviProposerSpec(type="gp_hvi"),
    "lattice": LatticeProposerSpec(type="lattice"),
    "map": MapProposerSpec(type="map"),
    "merge_screen": MergeScreenProposerSpec(type="merge_screen"),
    "psl": PslProposerSpec(type="psl"),
    "reevaluate": ReevaluateProposerSpec(type="reevaluate"),
    "ols": OlsProposerSpec(type="ols"),
    "pg_predict": PgPredictProposerSpec(type="pg_predict"),
    "portfolio": PortfolioProposerSpec(type="portfolio"),
    "soups": SoupsProposerSpec(type="soups"),
    "svh_psl": SvhPslProposerSpec(type="svh_psl"),
}
MERGING = ("map", "merge_screen", "soups")
"""Those that launch nothing but experts until these are trained."""
WRAPPED = {"reevaluate": ("portfolio", "empty_box", "dirichlet")}
"""Tags of those whose launches the proposer passes on; they bear the tag of who chose them."""
MOST_OBJECTIVES = {"ols": 4}
RUNS = 30


def proposer_of(tag: str, m: int = 2, runs: int = RUNS) -> Proposer:
    if m > MOST_OBJECTIVES.get(tag, m):
        pytest.skip(f"{tag} is for {MOST_OBJECTIVES[tag]} objectives at most")
    return build(SPECS[tag], m=m, runs=runs)


@pytest.fixture(params=sorted(TAGS))
def tag(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def only_in_full(when: bool) -> list[pytest.MarkDecorator]:
    """Return the mark of what `make test` leaves to `make test-full`."""
    return [pytest.mark.full] if when else []


FEW = ("empty", "duplicates", "no spread in one objective", "the opening stage")
"""Histories that `make test` tries with more than two objectives too."""
CASES = [
    pytest.param(m, name, marks=only_in_full(m > 2 and name not in FEW))
    for m in (2, 3, 6)
    for name in histories(2)
]
FRONTS = {"circle": circle(60), "zdt1": zdt1(60), "3d": sphere(200)}
QUICK_SWEEPS = (("zdt1", 8), ("3d", 3))
SWEEPS = [
    pytest.param(name, workers, marks=only_in_full((name, workers) not in QUICK_SWEEPS))
    for name in FRONTS
    for workers in (1, 3, 8)
]


def test_every_tag_has_a_spec_a_line_in_the_table_and_an_example() -> None:
    union = {s.model_fields["type"].annotation for s in get_args(get_args(ProposerSpec)[0])}
    tags = {get_args(t)[0] for t in union} - {"auto"}
    assert tags == set(TAGS) == set(SPECS)


def test_auto_is_a_portfolio_unless_objectives_or_runs_are_many() -> None:
    chosen = [resolve_tag(AutoProposerSpec(), m, RUNS) for m in (2, 4, 5, 6, 7, 9)]
    assert chosen == ["portfolio"] * 2 + ["empty_box"] * 2 + ["dirichlet"] * 2
    assert resolve_tag(AutoProposerSpec(lead=0), 5, RUNS) == "dirichlet"
    assert resolve_tag(AutoProposerSpec(), 2, LONG_SWEEP) == "portfolio"
    assert resolve_tag(AutoProposerSpec(), 2, LONG_SWEEP + 1) == "empty_box"
    assert resolve_tag(AutoProposerSpec(), 2, RUNS, (LaunchKind.WEIGHTED,)) == "dirichlet"
    launches = build(AutoProposerSpec(), m=2, runs=4).propose(history_of(problem_of(2)), (), 1, 0)
    assert launches[0].proposer == "portfolio"


def test_the_first_launches_need_no_pymoo() -> None:
    # the history is built by hand here: the shared one sorts, which is what must not happen
    code = (
        "import sys, numpy as np\n"
        "from paretoflow.core.values import Direction, History, ObjectiveInfo, Problem\n"
        "from paretoflow.proposers import build\n"
        "from paretoflow.spec.proposers import ProposerSpec\n"
        "from pydantic import TypeAdapter\n"
        "two = tuple(ObjectiveInfo(n, Direction.MAXIMIZE, '', 0, 1, 0) for n in 'ab')\n"
        "none = np.empty((0, 2))\n"
        "i = np.empty(0, np.int64)\n"
        "e = np.ones(2)\n"
        "history = History(Problem(two), (), none, none, i, (), i, e * 0, e, e * 0)\n"
        "for tag in sys.argv[1:]:\n"
        "    spec = TypeAdapter(ProposerSpec).validate_python({'type': tag})\n"
        "    chosen = build(spec, m=2, runs=9).propose(history, (), 3, 0)\n"
        "    heavy = {'pymoo', 'torch', 'ray', 'scipy'} & set(sys.modules)\n"
        "    print(tag, len(chosen), *sorted(heavy))\n"
    )
    tags = sorted(TAGS)
    words = [sys.executable, "-c", code, *tags]
    out = subprocess.run(words, capture_output=True, text=True, check=True)
    assert out.stdout.splitlines() == [f"{t} {2 if t in ('map', 'soups') else 3}" for t in tags]


@pytest.mark.few(110)
@pytest.mark.parametrize(("m", "name"), CASES)
def test_answers_are_sound_on_any_history(tag: str, m: int, name: str) -> None:
    history, pending = histories(m)[name]
    chosen = proposer_of(tag, m).propose(history, pending, 3, 5)
    assert chosen or pending
    assert len(chosen) <= 3
    sound(history, pending, chosen, tag)


def sound(
    history: History, pending: Sequence[Proposal], chosen: Sequence[Proposal], tag: str
) -> None:
    """Every promise that concerns one decision."""
    m = history.problem.m
    everything = [*(r.proposal for r in history.runs), *pending, *chosen]
    for proposal in chosen:
        assert proposal.proposer in (tag, *WRAPPED.get(tag, ()))
        assert proposal.reason.endswith(".")
        assert any(name in proposal.reason for name in history.problem.names)
        assert len(proposal.weights.values) == m
        assert Proposal.from_dict(proposal.to_dict()) == proposal
        same = [p for p in everything if question(p) == question(proposal)]
        repeats = proposal.kind in (LaunchKind.CONSTRAINED, LaunchKind.REEVALUATE)
        assert len(same) == 1 or repeats
        assert len([p for p in [*pending, *chosen] if question(p) == question(proposal)]) == 1
        if proposal.kind is LaunchKind.CONSTRAINED:
            assert proposal.thresholds is not None
            assert np.isfinite(proposal.thresholds).all()
            assert proposal.target in range(m)
            row = history.snapshot_ids.index(proposal.parent or "")
            assert history.run_index[row] != -1
        if proposal.merge is not None:
            rows = [history.snapshot_ids.index(p) for p in proposal.merge.parents]
            assert all(history.run_index[row] >= 0 for row in rows)
            assert len(proposal.merge.coefficients) == len(rows) >= 2
        assert (proposal.merge is not None) == (proposal.kind is LaunchKind.MERGE)
    assert len({p.seed for p in chosen} | {p.seed for p in pending if p.proposer == tag}) == len(
        chosen
    ) + len([p for p in pending if p.proposer == tag])


def question(proposal: Proposal) -> object:
    """Return the fields of a launch except its seed."""
    return (
        proposal.kind,
        proposal.weights,
        proposal.parent,
        proposal.target,
        proposal.thresholds,
        proposal.merge,
    )


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=only_in_full(n not in FEW)) for n in histories(2)]
)
def test_the_same_question_gets_the_same_answer_and_nothing_is_written_to(
    tag: str, name: str
) -> None:
    history, pending = histories(3)[name]
    before = [p.to_dict() for p in pending]
    copies = {f.name: np.copy(getattr(history, f.name)) for f in fields(History)[2:5]}
    first = proposer_of(tag, 3).propose(history, pending, 4, 9)
    again, waiting = histories(3)[name]
    assert proposer_of(tag, 3).propose(again, tuple(waiting), 4, 9) == first
    assert [p.to_dict() for p in pending] == before
    assert all((getattr(history, n) == copy).all() for n, copy in copies.items())


def test_another_seed_trains_other_policies(tag: str) -> None:
    history, pending = histories(2)["the opening stage"]
    one, other = (proposer_of(tag).propose(history, pending, 2, seed) for seed in (1, 2))
    assert not {p.seed for p in one} & {p.seed for p in other}


@pytest.mark.parametrize("name", ["empty", "all failed", "the opening stage"])
def test_a_batch_is_the_same_as_single_requests(tag: str, name: str) -> None:
    history, pending = histories(3)[name]
    proposer = proposer_of(tag, 3)
    batch = proposer.propose(history, pending, 5, 3)
    singles: list[Proposal] = []
    while len(singles) < 5:
        chosen = proposer.propose(history, [*pending, *singles], 1, 3)
        if not chosen:
            break
        singles += chosen
    assert batch == singles


def test_asking_for_none_gives_none(tag: str) -> None:
    assert proposer_of(tag).propose(history_of(problem_of(2)), (), 0, 0) == []


@pytest.mark.parametrize("m", [2, 3, 6])
def test_the_corners_come_first_whatever_the_order_of_objectives(tag: str, m: int) -> None:
    chosen = proposer_of(tag, m).propose(history_of(problem_of(m)), (), m, 0)
    assert {p.weights.values for p in chosen} == set(map(tuple, np.eye(m).tolist()))
    assert {p.kind for p in chosen} == {LaunchKind.WEIGHTED}


def test_a_failed_opening_is_not_launched_for_ever(tag: str) -> None:
    history, _ = histories(2)["all failed"]
    failed = {r.proposal.weights for r in history.runs}
    chosen = proposer_of(tag).propose(history, (), 4, 0)
    assert chosen
    assert not failed & {p.weights for p in chosen}


@pytest.mark.few(12)
@pytest.mark.parametrize(("name", "workers"), SWEEPS)
def test_the_whole_budget_is_used_with_sound_launches(tag: str, name: str, workers: int) -> None:
    oracle = Front(FRONTS[name], noise=0.02, failures=0.1)
    m = oracle.gains.shape[1]

    def check(history: History, pending: Sequence[Proposal], chosen: list[Proposal]) -> None:
        assert chosen or pending
        sound(history, pending, chosen, tag)

    _, launches = swept(proposer_of(tag, m), oracle, RUNS, workers=workers, seed=4, check=check)
    assert len(launches) == RUNS
    assert len({p.seed for p in launches}) == RUNS


@pytest.mark.few(5)
def test_a_history_of_ten_thousand_evaluations_is_answered(tag: str) -> None:
    rng = np.random.default_rng(0)
    gains = rng.dirichlet(np.ones(3), 10_000) ** 0.6
    launches = [weighted(w) for w in rng.dirichlet(np.ones(3), 500)]
    rows = [(i % 500, row) for i, row in enumerate(gains.tolist())]
    history = history_of(problem_of(3), launches, rows, stderr=0.01)
    pending = () if tag in MERGING else opening(3)
    assert len(proposer_of(tag, 3, 1000).propose(history, pending, 2, 0)) == 2


@functools.cache
def nine_runs_of(tag: str) -> History:
    oracle = Front(zdt1(60))
    _, launches = swept(proposer_of(tag), oracle, 9)
    rows = [(i, oracle.gains[oracle.answer(p)].tolist()) for i, p in enumerate(launches)]
    return history_of(problem_of(2), launches, rows)


def test_a_history_of_another_proposer_is_taken_as_it_is(tag: str) -> None:
    for other in TAGS:
        history = nine_runs_of(other)
        chosen = proposer_of(tag).propose(history, (), 2, 0)
        assert len(chosen) == 2
        sound(history, (), chosen, tag)


@pytest.mark.parametrize("runs", [12, 24])
def test_boxes_fill_a_concave_front_where_weights_alone_stop_at_half(runs: int) -> None:
    tags = ("lattice", "dirichlet", "cmorl", "empty_box")
    share = {tag: swept(proposer_of(tag, runs=runs), Front(circle()), runs)[0] for tag in tags}
    assert share["lattice"] == pytest.approx(0.495, abs=0.005)
    assert share["dirichlet"] == pytest.approx(0.495, abs=0.005)
    assert share["empty_box"] > (0.9 if runs == 12 else 0.95)
    assert share["lattice"] + 0.01 < share["cmorl"] < share["empty_box"]


@pytest.mark.parametrize("workers", [1, 4])
def test_noise_and_several_workers_cost_boxes_little_on_a_concave_front(workers: int) -> None:
    oracle = Front(circle(), noise=0.03)
    shares = [
        swept(proposer_of("empty_box", runs=24), oracle, 24, workers=workers, seed=s)[0]
        for s in range(3)
    ]
    assert np.mean(shares) > 0.9


def test_a_convex_front_is_no_harder_for_boxes_than_for_a_lattice() -> None:
    tags = ("lattice", "cmorl", "empty_box")
    share = {tag: swept(proposer_of(tag, runs=16), Front(zdt1()), 16)[0] for tag in tags}
    assert share["empty_box"] > share["lattice"] > 0.88
    assert share["cmorl"] > 0.85


def test_boxes_fill_a_concave_front_of_three_objectives() -> None:
    tags = ("lattice", "empty_box")
    share = {tag: swept(proposer_of(tag, 3, 24), Front(sphere()), 24)[0] for tag in tags}
    assert share["empty_box"] > share["lattice"] + 0.2


@pytest.mark.parametrize("order", [[1, 0], [2, 0, 1], [3, 2, 0, 1]], ids=len)
@pytest.mark.parametrize("constrained", ["cmorl", "cmorl_hv", "empty_box"])
def test_permuting_the_objectives_permutes_the_choice(constrained: str, order: list[int]) -> None:
    m = len(order)
    rows = bent(m)
    moved = [(i, [g[o] for o in order]) for i, g in rows]
    done = opening(m)
    proposer = build(
        CmorlProposerSpec(type="cmorl", select=m) if constrained == "cmorl" else SPECS[constrained],
        m=m,
        runs=RUNS,
    )
    # a whole round of extension: which of its launches comes first follows the objectives' order
    count = m * m if constrained == "cmorl" else 1
    plain = proposer.propose(history_of(problem_of(m), done, rows), (), count, 0)
    other = proposer.propose(
        history_of(problem_of(m), [weighted(p.weights.array[order]) for p in done], moved),
        (),
        count,
        0,
    )

    def permuted(proposal: Proposal) -> object:
        thresholds = np.array(proposal.thresholds)[order].round(9)
        target = order.index(proposal.target or 0)
        weights = proposal.weights.array[order].round(9)
        return proposal.parent, target, tuple(thresholds.tolist()), tuple(weights.tolist())

    def as_is(proposal: Proposal) -> object:
        thresholds, weights = np.array(proposal.thresholds), proposal.weights.array
        rounded = tuple(thresholds.round(9).tolist()), tuple(weights.round(9).tolist())
        return proposal.parent, proposal.target, *rounded

    assert len(plain) == count
    assert {permuted(p) for p in plain} == {as_is(p) for p in other}
