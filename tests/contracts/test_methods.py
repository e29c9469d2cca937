"""What every method promises, over every tag: see `core.protocols.Method`."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.errors import (
    MethodError,
    NonFiniteLossError,
    RunInterrupted,
    ShapeError,
)
from paretoflow.core.protocols import Checkpoint
from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from paretoflow.methods import TAGS
from paretoflow.methods.training.states import latest_state, read_state
from paretoflow.spec.capabilities import CAPABILITIES
from paretoflow.spec.methods import (
    BcoMethodSpec,
    CommandMethodSpec,
    DpaMethodSpec,
    DpoMethodSpec,
    DualSpec,
    FDpoMethodSpec,
    GradientDpoMethodSpec,
    GraoMethodSpec,
    GrpoMethodSpec,
    IpoMdMethodSpec,
    IpoMethodSpec,
    KtoMethodSpec,
    LipoMethodSpec,
    LnDpoMethodSpec,
    MahDpoMethodSpec,
    MeetMethodSpec,
    MethodSpec,
    MmDpoMethodSpec,
    ModpoMethodSpec,
    ProMethodSpec,
    RicMethodSpec,
    RlooMethodSpec,
    RpoMethodSpec,
    SftMethodSpec,
    SimpoMethodSpec,
)
from tests.method_bench import NAMES, Trained, make_context, read_adapter, train, weighted

pytestmark = pytest.mark.train

SHARED: dict[str, Any] = {"steps": 3, "batch_size": 4, "learning_rate": 5e-3}
SPECS: dict[str, MethodSpec] = {
    "bco": BcoMethodSpec(type="bco", **SHARED),
    "command": CommandMethodSpec(type="command", argv=("{python}",), **SHARED),
    "dpa": DpaMethodSpec(type="dpa", rounds=1, samples=2, **SHARED),
    "dpo": DpoMethodSpec(**SHARED, checkpoint_every=None),
    "f_dpo": FDpoMethodSpec(type="f_dpo", **SHARED),
    "gradient_dpo": GradientDpoMethodSpec(type="gradient_dpo", **SHARED),
    "grao": GraoMethodSpec(type="grao", **SHARED),
    "grpo": GrpoMethodSpec(type="grpo", **SHARED),
    "ipo": IpoMethodSpec(type="ipo", **SHARED),
    "ipo_md": IpoMdMethodSpec(type="ipo_md", **SHARED),
    "kto": KtoMethodSpec(type="kto", **SHARED),
    "lipo": LipoMethodSpec(type="lipo", **SHARED),
    "ln_dpo": LnDpoMethodSpec(type="ln_dpo", **SHARED),
    "mah_dpo": MahDpoMethodSpec(type="mah_dpo", **SHARED),
    "meet": MeetMethodSpec(type="meet", **SHARED),
    "mm_dpo": MmDpoMethodSpec(type="mm_dpo", **SHARED),
    "modpo": ModpoMethodSpec(type="modpo", **SHARED),
    "ric": RicMethodSpec(type="ric", **SHARED),
    "rloo": RlooMethodSpec(type="rloo", **SHARED),
    "pro": ProMethodSpec(type="pro", **SHARED),
    "rpo": RpoMethodSpec(type="rpo", **SHARED),
    "sft": SftMethodSpec(type="sft", **SHARED),
    "simpo": SimpoMethodSpec(type="simpo", **SHARED),
}
ONE_OF_EACH = ("command", "dpo", "gradient_dpo", "grpo", "lipo", "mah_dpo", "meet", "ric")
"""A tag for each trainer: what `run.train_run` does around it does not depend on the loss."""
OF_THE_FRAME = ("command", "dpo", "grpo", "meet")
"""Pairs, samples, stages and a program: `make test` tries the frame around these alone."""
MIXED = weighted(0.5, 0.3, 0.2)


def few_of(tag: str) -> Any:
    """Return a tag, marked for `make test-full` where `make test` looks at others of its kind."""
    return tag if tag in OF_THE_FRAME else pytest.param(tag, marks=pytest.mark.full)


def turns(*values: str) -> pytest.MarkDecorator:
    """Give each trainer one of the values in turn; the others are for `make test-full`."""
    steps = [tag for tag in ONE_OF_EACH if CAPABILITIES[tag].kind != "program"]
    pairs = [
        pytest.param(tag, value, marks=() if (i + k) % len(values) == 0 else pytest.mark.full)
        for i, tag in enumerate(steps)
        for k, value in enumerate(values)
    ]
    return pytest.mark.parametrize(("spec", "value"), pairs, indirect=["spec"])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test its tags.

    One of each way to train where only the frame around it is looked at, every tag for a law of
    the loss, one of each trainer elsewhere; all others are for `make test-full`.
    """
    if "spec" not in metafunc.fixturenames or "value" in metafunc.fixturenames:
        return
    marked = {mark.name for mark in metafunc.definition.iter_markers()}
    if "frame" in marked:
        tags = [few_of(tag) for tag in ONE_OF_EACH]
    elif "law" in marked:
        tags = sorted(TAGS)
    else:
        others = sorted(TAGS.keys() - set(ONE_OF_EACH))
        tags = [*ONE_OF_EACH, *(pytest.param(tag, marks=pytest.mark.full) for tag in others)]
    metafunc.parametrize("spec", tags, indirect=True)


@pytest.fixture(scope="module")
def spec(request) -> MethodSpec:
    found = SPECS[request.param]
    if found.type == "command":
        return found.model_copy(update={"argv": request.getfixturevalue("trainer_argv")})
    return found


@pytest.fixture(scope="module")
def plain(context, spec, tmp_path_factory) -> Trained:
    """Return one run of each method that most tests compare with."""
    return train(context, spec, MIXED, tmp_path_factory.mktemp("plain"))


@pytest.fixture
def _sees_steps(spec):
    """Pass over programs, whose steps are their own: they have tests in `unit/methods`."""
    if CAPABILITIES[spec.type].kind == "program":
        pytest.skip("a program's steps are not seen")


@pytest.fixture
def _a_point(spec):
    """Pass over methods whose one artifact serves all preferences: each has its own tests."""
    if CAPABILITIES[spec.type].serves == "continuum":
        pytest.skip("launch weights do not enter the training")


@pytest.fixture(autouse=True)
def untouched_base(tiny_lm):
    """Hold every test to the promise that a run leaves the base as it found it, however it ends."""
    before = {name: tensor.clone() for name, tensor in tiny_lm.model.state_dict().items()}
    yield
    after = tiny_lm.model.state_dict()
    assert before.keys() == after.keys()
    assert all(before[name].equal(after[name]) for name in before)
    assert not any(p.requires_grad for p in tiny_lm.model.parameters())
    assert not tiny_lm.model.training
    assert "forward" not in vars(tiny_lm.model)


def same(one: Trained, other: Trained) -> bool:
    a, b = one.adapter, other.adapter
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def close(one: Trained, other: Trained, atol: float = 1e-5) -> bool:
    a, b = one.adapter, other.adapter
    return a.keys() == b.keys() and all(np.allclose(a[k], b[k], atol=atol) for k in a)


def with_unmoved(context):
    """Return the context with a second objective in which all answers are alike."""
    table = context.candidates
    return replace(
        context,
        candidates=replace(
            table,
            gains=np.insert(table.gains, 1, 0.0, axis=-1),
            mean=np.insert(table.mean, 1, 0.0),
            std=np.insert(table.std, 1, 1e-8),
        ),
        objective_names=(context.objective_names[0], "size", *context.objective_names[1:]),
        scale=np.insert(context.scale, 1, 1.0),
        rewards=lambda *given: np.insert(context.rewards(*given), 1, 0.0, axis=-1),
        validate=lambda model: np.insert(context.validate(model), 1, 7.0),
        unmoved=(1,),
    )


def test_every_tag_has_an_example():
    assert SPECS.keys() == TAGS.keys()


def test_a_run_ends_with_a_peft_folder_that_changes_the_model(plain, tiny_lm):
    from paretoflow.lm.adapters import adapter_on

    (last,) = plain.checkpoints
    assert (last.step, last.final, last.folder.name) == (3, True, "step-0003")
    ids = tiny_lm.tokenizer("Document: The dict", return_tensors="pt")["input_ids"]
    base = tiny_lm.model(ids).logits
    with adapter_on(tiny_lm, last.folder) as model:
        assert not np.allclose(model(ids).logits.detach(), base.detach(), atol=1e-4)


def test_a_checkpoint_says_weights_cost_and_loss(plain, spec):
    (last,) = plain.checkpoints
    assert last.weights.tolist() == [0.5, 0.3, 0.2]
    assert last.cost.wall_s > 0
    assert last.cost.device_s == last.cost.wall_s
    assert last.cost.tokens > 3 * 4 * 20  # each example holds a prompt of more than twenty tokens
    assert np.isfinite(last.metrics["loss"])


def test_every_step_is_logged_with_its_loss(plain, spec):
    assert [step for step, _ in plain.logged] == [1, 2, 3]
    assert all(np.isfinite(values["loss"]) for _, values in plain.logged)
    if CAPABILITIES[spec.type].kind != "program":
        assert all({"grad_norm", "learning_rate"} <= values.keys() for _, values in plain.logged)
    if CAPABILITIES[spec.type].kind == "online":
        rewards = {f"rewards/{name}/mean" for name in NAMES}
        assert all(rewards | {"reward"} <= values.keys() for _, values in plain.logged)


@pytest.mark.usefixtures("_sees_steps")
def test_the_trainer_leaves_only_adapters(plain):
    assert [p.name for p in plain.folder.iterdir()] == ["step-0003"]


def test_an_objective_that_no_training_moves_changes_no_run(plain, context, spec, tmp_path):
    run = train(with_unmoved(context), spec, weighted(0.25, 0.5, 0.15, 0.1), tmp_path)
    (last,) = run.checkpoints
    assert last.weights.tolist() == pytest.approx([0.25, 0.5, 0.15, 0.1])
    assert all(len(s.weights) == 4 and s.weights[1] == 0 for s in last.served)
    assert len(last.served) == len(plain.checkpoints[0].served)
    if CAPABILITIES[spec.type].kind != "program":  # which receives everything
        assert close(plain, run, 0.0)


def test_a_launch_for_what_no_training_moves_does_not_fail(context, spec, tmp_path):
    run = train(with_unmoved(context), spec, weighted(0.0, 1.0, 0.0, 0.0), tmp_path)
    (last,) = run.checkpoints
    assert (last.final, last.weights.tolist()) == (True, [0.0, 1.0, 0.0, 0.0])
    point = CAPABILITIES[spec.type].serves == "point"
    assert (last.step == 0) == (point and CAPABILITIES[spec.type].kind != "program")


def test_same_seed_same_adapter_other_seed_another(plain, context, spec, tmp_path):
    assert same(plain, train(context, spec, MIXED, tmp_path))
    assert not close(plain, train(context, spec, MIXED, tmp_path, seed=1))


def test_looking_at_checkpoints_does_not_change_the_run(plain, context, spec, tmp_path, tiny_lm):
    import torch

    from paretoflow.lm.adapters import adapter_on

    ids = tiny_lm.tokenizer("Document: The dict", return_tensors="pt")["input_ids"]
    seen = []

    def look(checkpoint: Checkpoint) -> None:
        torch.rand(7)
        with torch.no_grad():
            seen.append(checkpoint.model.eval()(ids).logits.numpy())

    often = spec.model_copy(update={"checkpoint_every": 2})
    run = train(context, often, MIXED, tmp_path, report=look)
    assert [(c.step, c.final) for c in run.checkpoints] == [(2, False), (3, True)]
    assert not same(Trained(run.folder, run.checkpoints[:1]), run)
    assert sum(c.cost.tokens for c in run.checkpoints) == plain.checkpoints[0].cost.tokens
    assert same(plain, run)
    with adapter_on(tiny_lm, run.checkpoints[0].folder) as model:
        assert np.array_equal(seen[0], model(ids).logits.detach())


@pytest.mark.frame
@pytest.mark.usefixtures("_sees_steps")
def test_no_step_is_wasted_on_a_learning_rate_of_0(context, spec, tmp_path, logs):
    """The log of a real run of 20 steps, read until step 4: up to the peak at step 3, then down."""
    longer = spec.model_copy(update={"steps": 20, "learning_rate": 0.06, "checkpoint_every": 1})
    saved: list[Checkpoint] = []
    with pytest.raises(RunInterrupted):
        train(
            context,
            longer,
            MIXED,
            tmp_path,
            report=saved.append,
            should_stop=lambda: len(saved) > 3,
        )
    rates = [log["learning_rate"] for log in logs]
    assert rates == pytest.approx([0.02, 0.04, 0.06, 0.06 * 17 / 18])
    first, second = (read_adapter(checkpoint.folder) for checkpoint in saved[:2])
    up = [v for name, v in first.items() if "lora_B" in name]
    if spec.type == "meet":  # which trains its words alone at first
        up = [first[name] - second[name] for name in first]
    assert any(np.abs(v).max() > 1e-3 for v in up)  # B starts at 0: the very first step moved it


@pytest.mark.frame
def test_gradient_accumulation_changes_memory_not_the_result(plain, context, spec, tmp_path):
    halves = spec.model_copy(update={"gradient_accumulation": 2})
    assert close(plain, train(context, halves, MIXED, tmp_path), 1e-4)


def test_smaller_forward_passes_change_memory_not_the_result(plain, context, spec, tmp_path):
    run = train(context, spec, MIXED, tmp_path, accumulation_factor=4)
    assert close(plain, run, 1e-4)
    assert run.checkpoints[0].cost.tokens == plain.checkpoints[0].cost.tokens


def test_weights_of_the_wrong_length_are_refused(context, spec, tmp_path):
    with pytest.raises(ShapeError, match="weights"):
        train(context, spec, weighted(0.5, 0.5), tmp_path)


@pytest.mark.frame
def test_a_run_prints_nothing(context, spec, tmp_path, capfd):
    train(context, spec, MIXED, tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.law
@pytest.mark.usefixtures("_a_point")
def test_one_hot_weights_are_the_single_objective_method(tiny_lm, context, spec, tmp_path):
    alone = train(make_context(tiny_lm, columns=(1,)), spec, weighted(1.0), tmp_path)
    one_hot = train(context, spec, weighted(0.0, 1.0, 0.0), tmp_path)
    assert close(alone, one_hot)


@pytest.mark.law
@pytest.mark.usefixtures("_a_point")
def test_permuting_objectives_and_weights_changes_nothing(plain, tiny_lm, spec, tmp_path):
    permuted = make_context(tiny_lm, columns=(2, 0, 1))
    assert close(plain, train(permuted, spec, weighted(0.2, 0.5, 0.3), tmp_path), 5e-5)


def test_scaling_a_raw_objective_changes_nothing(plain, tiny_lm, spec, tmp_path):
    scaled = make_context(tiny_lm, factors=(1.0, 10.0, 1.0))
    assert close(plain, train(scaled, spec, MIXED, tmp_path))


def test_how_much_prompts_differ_changes_nothing(plain, tiny_lm, spec, tmp_path):
    """Answers are weighed within prompts: a scorer that likes some prompts better is no matter."""
    if spec.type in ("ric", "meet", "command"):
        pytest.skip("it learns from scores that must mean the same with every prompt")
    shifted = make_context(tiny_lm, factors=(1.0, 10.0, 1.0), shifts=(0.0, 400.0, -7.0))
    assert close(plain, train(shifted, spec, MIXED, tmp_path))


@pytest.mark.usefixtures("_a_point")
def test_a_checkpoint_says_how_the_weights_acted(plain, context, spec, tmp_path):
    if spec.type == "command":
        pytest.skip("what a program makes of the weights is its own affair")
    acted = plain.checkpoints[-1].effective
    assert acted.shape == (3,)
    assert acted.sum() == pytest.approx(1.0)
    # what this base samples is not its candidates; `pro` has other weights for each prompt
    if CAPABILITIES[spec.type].data != "prompts" and spec.type != "pro":
        assert np.abs(acted - [0.5, 0.3, 0.2]).max() < 0.15
    alone = train(context, spec, weighted(0.0, 1.0, 0.0), tmp_path).checkpoints[-1].effective
    np.testing.assert_allclose(alone, [0.0, 1.0, 0.0], atol=1e-12)


@pytest.mark.usefixtures("_a_point")
def test_other_weights_give_another_adapter(plain, context, spec, tmp_path):
    assert not close(plain, train(context, spec, weighted(0.1, 0.1, 0.8), tmp_path))


@pytest.mark.frame
def test_a_warm_start_continues_from_its_parent(plain, context, spec, tmp_path):
    parent = plain.checkpoints[-1].folder
    still = spec.model_copy(update={"learning_rate": 1e-12})
    run = train(context, still, MIXED, tmp_path, seed=5, parent=parent)
    assert close(plain, run, atol=1e-8)
    moved = train(context, spec, MIXED, tmp_path, seed=5, parent=parent)
    assert not close(plain, moved)


FOLLOWING = DualSpec(every=1, lr=0.5, lookahead=0, paired=False, result="last")
"""Multipliers that follow given gains, and nothing else."""


def constrained(thresholds: tuple[float, ...]) -> Proposal:
    return Proposal(
        LaunchKind.CONSTRAINED,
        WeightVector((1.0, 0.0, 0.0)),
        0,
        "test",
        "test",
        target=0,
        thresholds=thresholds,
    )


@pytest.mark.frame
@pytest.mark.usefixtures("_sees_steps")
def test_a_violated_threshold_gets_weight_and_a_kept_one_none(context, spec, tmp_path):
    looks = []

    def validate(model: Any) -> np.ndarray:
        looks.append(model.training)
        return np.array([-9.0, 0.0, 0.0])

    update = {"checkpoint_every": 1, "dual": FOLLOWING}
    run = train(
        replace(context, validate=validate),
        spec.model_copy(update=update),
        constrained((0.0, 2.0, -2.0)),
        tmp_path,
    )
    weights = [c.weights.tolist() for c in run.checkpoints]
    assert weights == [[1, 0, 0], [0.5, 0.5, 0], [pytest.approx(1 / 3), pytest.approx(2 / 3), 0]]
    assert len(looks) == 2  # none after the last step


@pytest.mark.frame
def test_a_constraint_that_holds_trains_as_if_it_were_not_there(context, spec, tmp_path):
    dual = spec.model_copy(update={"dual": DualSpec(every=1)})
    free = train(context, dual, weighted(1.0, 0.0, 0.0), tmp_path)
    held = train(context, dual, constrained((-np.inf, -1.0, -np.inf)), tmp_path)
    assert same(free, held)


def moves(slope: float = -1.0) -> Any:
    """Return gains that follow how far the adapter has come: the first up, the second by slope."""

    def validate(model: Any) -> np.ndarray:
        parts = [p for name, p in model.named_parameters() if "lora_B" in name]
        way = float(sum(p.detach().abs().sum() for p in parts))
        return np.outer([1.0, 3.0], [way, slope * way, 0.0])

    return validate


def controlled(spec: Any, **more: Any) -> Any:
    return spec.model_copy(update={"dual": DualSpec(every=1, caution=0, **more)})


@turns("dual", "barrier")
def test_a_run_that_misses_its_threshold_ends_at_what_keeps_it(value, context, spec, tmp_path):
    looked = replace(context, validate=moves())
    free = train(looked, controlled(spec, result="last"), constrained((-np.inf,) * 3), tmp_path)
    way = float(sum(np.abs(v).sum() for k, v in free.adapter.items() if "lora_B" in k))
    bound = -way / 4  # the mean of the two prompts falls by twice the way
    asked = constrained((-np.inf, bound, -np.inf))
    run = train(looked, controlled(spec, form=value), asked, tmp_path)
    told = run.checkpoints[-1].constraint
    assert told is not None
    assert told["kept"]
    assert told["feasible_start"]
    bounded = told["thresholds"][context.objective_names[1]]
    assert bounded["change"] >= bounded["allowed"] == pytest.approx(bound)
    saved = float(sum(np.abs(v).sum() for k, v in run.adapter.items() if "lora_B" in k))
    assert -2 * saved == pytest.approx(bounded["change"], rel=1e-4)
    assert told["gain"] == pytest.approx(2 * saved, rel=1e-4)
    assert saved > 0
    assert all(c.constraint is None for c in run.checkpoints[:-1])


@turns("feasible", "last")
def test_a_constrained_run_goes_on_from_what_it_has_seen(value, context, spec, tmp_path):
    looked = replace(context, validate=moves())
    often = spec.model_copy(update={"steps": 4, "checkpoint_every": 1})
    longer = controlled(often, result=value)
    asked = constrained((-np.inf, -1e-3, -np.inf))
    undisturbed = train(looked, longer, asked, tmp_path)
    first = interrupted(looked, longer, asked, tmp_path, 2)
    rest = train(looked, longer, asked, tmp_path, resume_from=latest_state([first.folder]))
    assert same(undisturbed, rest)
    assert rest.checkpoints[-1].constraint == undisturbed.checkpoints[-1].constraint


# both overflow on any processor; at 1e12 losses are finite on some and not on others
@pytest.mark.parametrize("learning_rate", [1e30, pytest.param(1e20, marks=pytest.mark.full)])
def test_a_run_that_blows_up_fails_cleanly(learning_rate, context, spec, tmp_path):
    wild = spec.model_copy(update={"learning_rate": learning_rate, "checkpoint_every": 1})
    saved: list[Checkpoint] = []
    logged: list[int] = []
    with pytest.raises(NonFiniteLossError, match="step") as caught:
        train(
            context,
            wild,
            MIXED,
            tmp_path,
            report=saved.append,
            log_step=lambda step, values: logged.append(step),
        )
    assert "learning_rate" in caught.value.hint
    assert any(f"at step {step}" in str(caught.value) for step in logged), "it is logged too"
    assert all(np.isfinite(v).all() for c in saved for v in read_adapter(c.folder).values())
    assert len(list(tmp_path.glob("run-0/step-*"))) == len(saved)


@pytest.mark.frame
def test_an_error_from_the_reader_passes_through(plain, context, spec, tmp_path):
    def refuse(checkpoint: Checkpoint) -> None:
        raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        train(context, spec, MIXED, tmp_path, report=refuse)
    assert same(plain, train(context, spec, MIXED, tmp_path))


@pytest.fixture(scope="module")
def dropping(context):
    """The context with dropout in the adapter, so that the random state counts."""
    return replace(context, lora=context.lora.model_copy(update={"dropout": 0.2}))


@pytest.fixture(scope="module")
def whole(spec):
    return spec.model_copy(update={"steps": 6, "checkpoint_every": 2})


@pytest.fixture(scope="module")
def undisturbed(dropping, whole, tmp_path_factory) -> Trained:
    """Return one run of each method that those which go on are compared with."""
    return train(dropping, whole, MIXED, tmp_path_factory.mktemp("undisturbed"))


def interrupted(context: Any, spec: Any, proposal: Proposal, folder: Path, step: int) -> Trained:
    """Run until the given step and stop there as asked."""
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) == step

    checkpoints: list[Checkpoint] = []
    with pytest.raises(RunInterrupted) as caught:
        train(context, spec, proposal, folder, report=checkpoints.append, should_stop=stop)
    stopped = caught.value
    assert stopped.step == step
    assert stopped.state is not None
    assert read_state(stopped.state) is not None
    assert pickle.loads(pickle.dumps(stopped)).cost == stopped.cost
    checkpoints.append(replace(checkpoints[-1], cost=stopped.cost, state=stopped.state))
    return Trained(stopped.state.parent, checkpoints)


@pytest.mark.usefixtures("_sees_steps")
@pytest.mark.parametrize("step", [3, pytest.param(4, marks=pytest.mark.full)])
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(
    step, dropping, whole, undisturbed, tmp_path
):
    first = interrupted(dropping, whole, MIXED, tmp_path, step)
    state = latest_state([first.folder])
    assert state == first.folder / f"checkpoint-{step}"
    rest = train(dropping, whole, MIXED, tmp_path, resume_from=state)
    assert same(undisturbed, rest)
    assert [c.step for c in rest.checkpoints] == [s for s in (2, 4, 6) if s > step]
    tokens = [sum(c.cost.tokens for c in r.checkpoints) for r in (first, rest, undisturbed)]
    assert tokens[0] + tokens[1] == tokens[2]
    assert not list(rest.folder.glob("checkpoint-*"))


@pytest.mark.frame
@pytest.mark.usefixtures("_sees_steps")
def test_a_checkpoint_can_be_resumed_from_and_only_the_newest_is_kept(
    dropping, whole, undisturbed, tmp_path
):
    kept: list[tuple[int, list[str]]] = []

    def look(checkpoint: Checkpoint) -> None:
        states = sorted(p.name for p in checkpoint.folder.parent.glob("checkpoint-*"))
        kept.append((checkpoint.step, states))
        if checkpoint.step == 4:
            raise KeyError("killed")

    with pytest.raises(KeyError, match="killed"):
        train(dropping, whole, MIXED, tmp_path, report=look)
    assert kept == [(2, ["checkpoint-2"]), (4, ["checkpoint-4"])]
    state = latest_state([tmp_path / "run-0"])
    rest = train(dropping, whole, MIXED, tmp_path, resume_from=state)
    assert [c.step for c in rest.checkpoints] == [6]
    assert same(undisturbed, rest)


@pytest.mark.frame
@pytest.mark.usefixtures("_sees_steps")
def test_the_dual_controller_goes_on_where_it_was(context, spec, tmp_path):
    looks: list[int] = []

    def validate(model: Any) -> np.ndarray:
        looks.append(1)
        return np.array([-9.0, 0.3, 0.1])

    pushed = replace(context, validate=validate)
    often = {"steps": 4, "checkpoint_every": 1, "dual": FOLLOWING}
    often_spec = spec.model_copy(update=often)
    proposal = constrained((0.0, 1.0, 0.7))
    undisturbed = train(pushed, often_spec, proposal, tmp_path)
    first = interrupted(pushed, often_spec, proposal, tmp_path, 2)
    looks.clear()
    rest = train(pushed, often_spec, proposal, tmp_path, resume_from=latest_state([first.folder]))
    assert len(looks) == 1
    weights = [c.weights.tolist() for c in undisturbed.checkpoints]
    assert [c.weights.tolist() for c in rest.checkpoints] == weights[2:]
    assert same(undisturbed, rest)


@pytest.mark.frame
@pytest.mark.usefixtures("_sees_steps")
def test_a_torn_state_is_passed_over_and_refused(dropping, whole, undisturbed, tmp_path):
    older = interrupted(dropping, whole, MIXED, tmp_path, 2).folder
    torn = interrupted(dropping, whole, MIXED, tmp_path, 5).folder
    (torn / "checkpoint-5" / "optimizer.pt").write_bytes(b"half")
    assert latest_state([older, torn]) == older / "checkpoint-2"
    with pytest.raises(MethodError, match="torn"):
        train(dropping, whole, MIXED, tmp_path, resume_from=torn / "checkpoint-5")
    rest = train(dropping, whole, MIXED, tmp_path, resume_from=latest_state([older, torn]))
    assert same(undisturbed, rest)


@pytest.mark.frame
@pytest.mark.usefixtures("_sees_steps")
def test_a_run_that_is_asked_to_stop_at_its_end_just_ends(plain, context, spec, tmp_path):
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 2

    assert same(plain, train(context, spec, MIXED, tmp_path, should_stop=stop))
    assert len(asked) == 2
