"""A program as the trainer: its request, its failures, and its continuation after a stop."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.errors import (
    MethodError,
    ModelError,
    NonFiniteLossError,
    RunInterrupted,
    UserError,
)
from paretoflow.core.status import Boundary
from paretoflow.core.values import (
    Direction,
    LaunchKind,
    ObjectiveInfo,
    Problem,
    Proposal,
    WeightVector,
)
from paretoflow.engine.failures.attribution import failure_of
from paretoflow.spec.methods import CommandMethodSpec
from tests.faults import raises
from tests.method_bench import NAMES, Trained, make_context, read_adapter, train, weighted

pytestmark = pytest.mark.train

OPENING = """
import json, os, pathlib, shutil, signal, sys, time
request = json.loads(pathlib.Path(sys.argv[1]).read_text())
output, given = pathlib.Path(request["output"]), sys.argv[2]
def answer(**found):
    pathlib.Path(request["result"]).write_text(json.dumps(found))
"""
COPY = "shutil.copytree(given, output / 'adapter');"


@pytest.fixture(scope="module")
def context(tiny_lm):
    return make_context(tiny_lm)


@pytest.fixture(scope="module")
def adapter(tiny_lm, tmp_path_factory) -> Path:
    """A PEFT folder for the tiny base, as another program would write it: without `base.json`."""
    import torch

    from paretoflow.lm.adapters import fresh_adapter, save_adapter_files, unload
    from paretoflow.spec.models import LoraSpec

    folder = tmp_path_factory.mktemp("given") / "adapter"
    model = fresh_adapter(tiny_lm, LoraSpec(rank=2, alpha=4), seed=1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.05)
    save_adapter_files(model, folder)
    unload(model)
    return folder


def spec(code: str, adapter: Path, **knobs: Any) -> CommandMethodSpec:
    words = ("{python}", "-I", "-S", "-c", OPENING + code, "{request}", str(adapter))
    return CommandMethodSpec(type="command", argv=words, steps=4, **knobs)


def edited(adapter: Path, folder: Path, **config: Any) -> Path:
    shutil.copytree(adapter, folder)
    known = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(known | config))
    return folder


def told(run: Path) -> dict[str, Any]:
    return json.loads((run / "program" / "request.json").read_text())


def test_an_adapter_from_elsewhere_becomes_one_of_ours(context, adapter, tmp_path, tiny_lm):
    code = COPY + "answer(folder='adapter', tokens=12, metrics={'loss': 0.5})"
    run = train(context, spec(code, adapter), weighted(0.5, 0.3, 0.2), tmp_path)
    (last,) = run.checkpoints
    assert (last.step, last.final, last.folder) == (4, True, run.folder / "step-0004")
    assert (last.cost.tokens, dict(last.metrics), last.given) == (12, {"loss": 0.5}, None)
    assert last.cost.wall_s == last.cost.device_s > 0
    ours, theirs = run.adapter, read_adapter(adapter)
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[k], theirs[k]) for k in ours)
    assert json.loads((last.folder / "base.json").read_text())["digest"] == tiny_lm.digest
    kept = sorted(p.name for p in (run.folder / "program").iterdir())
    assert kept == ["request.json", "result.json", "stderr.log", "stdout.log"]


def test_a_launch_is_told_in_the_users_units(context, adapter, tmp_path, tiny_lm):
    kinds = (Direction.MAXIMIZE, Direction.MINIMIZE, Direction.MAXIMIZE)
    infos = [ObjectiveInfo(n, d, "u", -9, 9, 0) for n, d in zip(NAMES, kinds, strict=True)]
    measured = replace(context, problem=Problem(tuple(infos)))
    weights = WeightVector((1.0, 0.0, 0.0))
    bounds = (-np.inf, -3.0, 1.5)
    launch = Proposal(
        LaunchKind.CONSTRAINED, weights, 7, "test", "test", target=0, thresholds=bounds
    )
    code = "shutil.copy(request['candidates'], output / 'seen.jsonl'); print(os.environ); exit(9)"
    with pytest.raises(MethodError):
        train(measured, spec(code, adapter), launch, tmp_path, seed=7, parent=adapter)
    run = tmp_path / "run-0"
    request = told(run)
    assert (request["seed"], request["kind"]) == (7, "constrained")
    assert request["weights"] == {"length": 1.0, "vowels": 0.0, "breadth": 0.0}
    assert request["constraint"] == {
        "target": "length",
        "bounds": {"vowels": {"at_most": 3.0}, "breadth": {"at_least": 1.5}},
    }
    assert request["parent_adapter"] == str(adapter)
    assert Path(request["base"]["path"], "config.json").is_file()
    assert request["base"]["digest"] == tiny_lm.digest
    assert request["method"]["steps"] == 4
    assert "argv" not in request["method"]
    rows = [json.loads(r) for r in (run / "program/output/seen.jsonl").read_text().splitlines()]
    gains = context.candidates.gains
    assert rows[1]["scores"]["vowels"] == (-gains[1, :, 1]).tolist()
    assert rows[1]["completions"] == list(context.candidates.completions[1])
    means = [o["mean"] for o in request["objectives"]]
    assert means == pytest.approx([np.mean(rows_of(rows, n)) for n in NAMES])
    seen = (run / "program" / "stdout.log").read_text()
    assert f"'PARETOFLOW_REQUEST': '{run / 'program' / 'request.json'}'" in seen


def rows_of(rows: list[dict[str, Any]], name: str) -> list[list[float]]:
    return [row["scores"][name] for row in rows]


def test_without_a_problem_scores_are_gains(context, adapter, tmp_path):
    run = train(
        context, spec(COPY + "answer(folder='adapter')", adapter), weighted(0, 1, 0), tmp_path
    )
    assert {o["direction"] for o in told(run.folder)["objectives"]} == {"maximize"}


def test_scores_that_the_program_measured_are_handed_on(context, adapter, tmp_path):
    scores = {name: {"prompt_scores": [1, 2, k]} for k, name in enumerate(NAMES)}
    code = COPY + f"answer(folder='adapter', scores={scores})"
    (last,) = train(context, spec(code, adapter), weighted(0, 1, 0), tmp_path).checkpoints
    assert last.given is not None
    assert last.given.scores.tolist() == [1.0, 4 / 3, 5 / 3]
    assert last.given.prompt_scores.shape == (3, 3)


def test_checkpoints_share_the_time_by_steps_and_may_be_enough_early(context, adapter, tmp_path):
    code = COPY + "answer(checkpoints=[{'step': k, 'folder': 'adapter'} for k in (1, 4)])"
    both = train(context, spec(code, adapter), weighted(0, 1, 0), tmp_path).checkpoints
    assert [(c.step, c.final) for c in both] == [(1, False), (4, True)]
    assert both[1].cost.wall_s == pytest.approx(3 * both[0].cost.wall_s)
    once = train(
        context, spec(code, adapter), weighted(0, 1, 0), tmp_path, should_finish=lambda: True
    )
    assert [c.step for c in once.checkpoints] == [1]


def failing(context: Any, method: CommandMethodSpec, folder: Path, kind: type[Exception]) -> Any:
    folder.mkdir(exist_ok=True)
    with pytest.raises(kind) as caught:
        train(context, method, weighted(0, 1, 0), folder)
    assert type(caught.value) is kind
    assert not list(folder.glob("run-0/step-*"))
    return caught.value


def test_a_program_that_fails_may_be_tried_again_and_its_last_words_are_told(
    context, adapter, tmp_path
):
    code = "print('step 1'); sys.stderr.write('one\\ntwo\\nCUDA is unhappy'); sys.exit(7)"
    error = failing(context, spec(code, adapter), tmp_path, MethodError)
    logs = tmp_path / "run-0" / "program"
    assert error.code == "training-program"
    assert "status 7" in error.what
    assert error.what.endswith(": CUDA is unhappy")
    assert str(logs / "stderr.log") in error.hint
    failure = failure_of(error)
    assert (failure.boundary, failure.retryable) == (Boundary.METHOD, True)
    assert "stderr.log, its end:\none\ntwo\nCUDA is unhappy" in failure.details
    assert "stdout.log, its end:\nstep 1" in failure.details
    assert (logs / "stdout.log").read_text() == "step 1\n"


def test_a_killed_program_and_a_late_one_are_told_as_such(context, adapter, tmp_path):
    kill = "os.kill(os.getpid(), signal.SIGKILL)"
    error = failing(context, spec(kill, adapter), tmp_path / "1", MethodError)
    assert error.code == "training-program"
    assert "SIGKILL" in error.what
    late = spec("time.sleep(60)", adapter, timeout_s=0.3, grace_s=1)
    error = failing(context, late, tmp_path / "2", MethodError)
    assert error.code == "training-program"
    assert "method.timeout_s = 0.3 s" in error.what


def test_a_wrong_answer_is_not_tried_again(context, adapter, tmp_path):
    error = failing(context, spec("", adapter), tmp_path, UserError)
    assert error.code == "usage-result"
    assert not failure_of(error).retryable


@pytest.fixture
def odd(adapter, tiny_lm, tmp_path):
    """Return adapters that are not for this base, by name, with what is said of them."""
    from safetensors.numpy import load_file, save_file

    def with_tensors(name: str, change: Any, **config: Any) -> Path:
        folder = edited(adapter, tmp_path / name, **config)
        tensors = dict(load_file(folder / "adapter_model.safetensors"))
        change(tensors)
        save_file(tensors, folder / "adapter_model.safetensors")
        return folder

    def half(tensors: dict[str, Any]) -> None:
        for key in [k for k in tensors if ".layers.1." in k]:
            del tensors[key]

    def deeper(tensors: dict[str, Any]) -> None:
        key = next(k for k in tensors if ".layers.1." in k)
        tensors[key.replace(".layers.1.", ".layers.7.")] = tensors[key]

    def wider(tensors: dict[str, Any]) -> None:
        key = next(k for k in tensors if "lora_B" in k)
        tensors[key] = np.zeros((9, 2), dtype=np.float32)

    def nan(tensors: dict[str, Any]) -> None:
        next(iter(tensors.values()))[0, 0] = np.nan

    empty = tmp_path / "empty"
    empty.mkdir()
    torn = edited(adapter, tmp_path / "torn")
    (torn / "adapter_model.safetensors").write_bytes(b"torn")
    other = edited(adapter, tmp_path / "other", base_model_name_or_path="other/model")
    return {
        "another name": (other, ModelError, "was trained on other/model; allowed: "),
        "fewer layers": (with_tensors("half", half), ModelError, "no counterpart"),
        "more layers": (with_tensors("deeper", deeper), ModelError, "no counterpart"),
        "other shapes": (with_tensors("wider", wider), ModelError, "cannot be put on tiny"),
        "no adapter": (empty, ModelError, "no PEFT adapter: adapter_config.json and"),
        "a torn file": (torn, ModelError, "cannot be put on tiny"),
        "nan": (with_tensors("nan", nan), NonFiniteLossError, "is not finite"),
    }


@pytest.mark.parametrize(
    "case",
    [
        "another name", "fewer layers", "more layers", "other shapes", "no adapter", "a torn file",
        "nan",
    ],
)  # fmt: skip
def test_an_adapter_that_does_not_fit_is_refused(case, odd, context, tmp_path, tiny_lm):
    folder, kind, said = odd[case]
    method = spec(COPY + "answer(folder='adapter')", folder)
    error = failing(context, method, tmp_path / "runs", kind)
    assert said in error.what
    assert not failure_of(error).retryable
    assert "peft_config" not in vars(tiny_lm.model)


def test_a_folder_that_names_no_base_is_judged_by_its_shapes(context, adapter, tmp_path):
    nameless = edited(adapter, tmp_path / "nameless", base_model_name_or_path=None)
    method = spec(COPY + "answer(folder='adapter')", nameless)
    (tmp_path / "runs").mkdir()
    run = train(context, method, weighted(0, 1, 0), tmp_path / "runs")
    config = json.loads((run.checkpoints[-1].folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"


def test_what_cannot_be_started_is_refused_before_a_run(adapter, monkeypatch):
    from paretoflow.methods.external.command import require_startable

    with raises("spec-missing-file", "'no-such-program'") as caught:
        require_startable(CommandMethodSpec(type="command", argv=("no-such-program",)))
    assert caught.value.where == "method.argv"
    monkeypatch.setenv("SET", "x")
    with raises("spec-variable", "UNSET_NAME") as caught:
        require_startable(spec("", adapter, env=("SET", "UNSET_NAME")))
    assert caught.value.where == "method.env"


def test_a_program_that_is_stopped_goes_on_with_its_own_files(context, adapter, tmp_path):
    code = """
count = output / "notes" / "count"
before = count.read_text() if request["resume_from"] else ""
def save(*_):
    count.parent.mkdir(exist_ok=True)
    count.write_text(before + "x")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
if len(before) < 2:
    signal.pause()
shutil.copytree(given, output / "adapter")
answer(folder="adapter", metrics={"times": len(before)})
"""
    method = spec(code, adapter, grace_s=30)

    def ready() -> bool:
        newest = max(tmp_path.glob("run-*"), key=lambda p: int(p.name[4:]))
        return "ready" in (newest / "program" / "stdout.log").read_text()

    state = None
    for _ in range(2):
        with raises("interrupted", "asked") as caught:
            train(context, method, weighted(0, 1, 0), tmp_path, resume_from=state, stopping=ready)
        state = caught.value.state
        assert caught.value.cost.wall_s > 0
    last = train(context, method, weighted(0, 1, 0), tmp_path, resume_from=state)
    assert last.checkpoints[0].metrics == {"times": 2.0}
    assert told(last.folder)["resume_from"] == told(last.folder)["output"]
    (state / "notes" / "count").write_text("torn")
    with raises("training-state", "torn"):
        train(context, method, weighted(0, 1, 0), tmp_path, resume_from=state)


@pytest.mark.full
def test_the_example_trainer_goes_on_as_if_it_had_not_been_stopped(context, trainer_argv, tmp_path):
    knobs = {"steps": 10, "batch_size": 4, "learning_rate": 5e-3, "checkpoint_every": 2}
    method = CommandMethodSpec(type="command", argv=trainer_argv, **knobs)
    undisturbed = train(context, method, weighted(0.5, 0.3, 0.2), tmp_path)
    with pytest.raises(RunInterrupted) as caught:
        train(context, method, weighted(0.5, 0.3, 0.2), tmp_path, stopping=lambda: True)
    state = caught.value.state
    assert (state / "state.pt").is_file()
    rest = train(context, method, weighted(0.5, 0.3, 0.2), tmp_path, resume_from=state)
    assert steps_and_tokens(rest) == steps_and_tokens(undisturbed)
    assert all(np.array_equal(rest.adapter[k], undisturbed.adapter[k]) for k in rest.adapter)


def steps_and_tokens(run: Trained) -> list[tuple[int, int]]:
    return [(c.step, c.cost.tokens) for c in run.checkpoints]
