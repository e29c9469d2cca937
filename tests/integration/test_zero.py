"""Two gloo ranks under DeepSpeed ZeRO 0 to 3: train, report, stop, resume, fail, and go on.

All launches run in one pair of processes (`zero_rank.py`), as in a warm worker group; the tests
read what came of them. References are one-rank runs without DeepSpeed, made here.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Collection, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.spec.capabilities import CAPABILITIES
from tests.conftest import tiny_base
from tests.integration.zero_rank import (
    DUAL,
    LOSSES,
    MIXED,
    PULLED,
    QUICK,
    SAMPLERS,
    SPECS,
    gains_of_rank,
    scripted,
)
from tests.method_bench import Trained, make_context, read_adapter, train

pytest.importorskip("deepspeed")
pytestmark = pytest.mark.train

ATOL = 1e-5
"""Largest difference of an adapter's weight to one rank's: sums are made in another order (the
weights reach 0.18; 1e-6 was measured)."""
PATIENCE_S = 500


def quick(all_of: Iterable[Any], few: Collection[Any]) -> list[Any]:
    """Return parameters, of which those beyond a few are for `make test-full`."""
    return [v if v in few else pytest.param(v, marks=pytest.mark.full) for v in all_of]


STAGES = (0, 1, 2, 3)


@pytest.fixture(scope="session")
def tiny_base_dir(tmp_path_factory) -> Path:
    """Return the folder of a random one-layer Llama."""
    return tiny_base(tmp_path_factory.mktemp("tiny_base"), layers=1)


@pytest.fixture(scope="session")
def tiny_lm(tiny_base_dir):
    from paretoflow.lm.base import load_folder

    return load_folder(tiny_base_dir, name="tiny")


@pytest.fixture(scope="module")
def group(tiny_base_dir, tmp_path_factory, request) -> Path:
    """Return the folder that both ranks wrote to."""
    out = tmp_path_factory.mktemp("gang")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    words = [sys.executable, "-m", "tests.integration.zero_rank", str(tiny_base_dir), str(out)]
    words += ["full"] * any(item.get_closest_marker("full") for item in request.session.items)
    logs = [out / f"rank-{rank}.log" for rank in range(2)]
    ranks = []
    for rank, log in enumerate(logs):
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        with log.open("w") as stream:
            ranks.append(
                subprocess.Popen(
                    words, env=os.environ | shared | place, stdout=stream, stderr=stream
                )
            )
    try:
        codes = [process.wait(PATIENCE_S) for process in ranks]
    finally:
        for process in ranks:
            process.kill()
    assert codes == [0, 0], "\n".join(log.read_text()[-3000:] for log in logs)
    return out


@pytest.fixture(scope="module")
def context(tiny_lm):
    return make_context(tiny_lm)


@pytest.fixture(scope="module")
def alone(context, tmp_path_factory) -> dict[str, Trained]:
    """Return each offline method's run on one rank, without DeepSpeed."""
    folder = tmp_path_factory.mktemp("alone")
    return {name: train(context, SPECS[name], MIXED, folder) for name in ("dpo", "modpo", "bco")}


def told(group: Path, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the two ranks wrote of a launch."""
    first, second = (json.loads((group / f"{name}.{r}.json").read_text()) for r in range(2))
    return first, second


def unanswered(first: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rank 0's reports without the answers, which it alone takes."""
    own = ("answers", "logprobs", "base")
    assert all(r.keys() > set(own) for r in first["reports"])
    return [{k: v for k, v in r.items() if k not in own} for r in first["reports"]]


def distance(one: dict[str, Any], other: dict[str, Any]) -> float:
    assert one.keys() == other.keys()
    return max(float(np.abs(one[k] - other[k]).max()) for k in one)


def adapter(group: Path, name: str, step: int = 4) -> dict[str, Any]:
    return read_adapter(group / name / f"step-{step:04d}")


@pytest.mark.parametrize("zero", quick(STAGES, QUICK["dpo"]))
def test_two_ranks_make_the_adapter_of_one(zero, group, alone):
    for step, checkpoint in zip((2, 4), alone["dpo"].checkpoints, strict=True):
        ours = adapter(group, f"dpo-{zero}", step)
        assert distance(ours, read_adapter(checkpoint.folder)) < ATOL


@pytest.mark.parametrize("zero", quick(STAGES, QUICK["modpo"]))
def test_a_stop_that_one_rank_hears_of_stops_all_and_the_run_goes_on_as_one_rank_would(
    zero, group, alone
):
    for rank in told(group, f"modpo-{zero}-first"):
        assert rank["ended"].startswith("RunInterrupted")
        assert [(r["step"], r["state"]) for r in rank["reports"]] == [(2, True)]
    for rank in told(group, f"modpo-{zero}-rest"):
        assert rank["ended"] == "well"
        assert [(r["step"], r["state"]) for r in rank["reports"]] == [(4, False)]
    assert distance(adapter(group, f"modpo-{zero}-rest"), alone["modpo"].adapter) < ATOL
    assert list((group / f"modpo-{zero}-first").glob("checkpoint-3/global_step3/*.pt"))
    assert not list((group / f"modpo-{zero}-rest").glob("checkpoint-*"))


@pytest.mark.full
def test_bco_shifts_by_all_ranks_rewards_also_after_a_stop(group, alone):
    for rank in told(group, "bco-rest"):
        assert rank["ended"] == "well"
    assert distance(adapter(group, "bco-rest"), alone["bco"].adapter) < ATOL


@pytest.mark.parametrize("zero", quick((0, 3), QUICK["grpo"]))
def test_grpo_on_two_ranks_is_that_of_one_when_the_answers_are(
    zero, group, context, tmp_path, monkeypatch
):
    from paretoflow.methods.online.grpo import GrpoTrainer

    turn = scripted(context.candidates, 0, 4)
    monkeypatch.setattr(GrpoTrainer, "_generate_single_turn", turn)
    alone = train(context, SPECS["grpo"], MIXED, tmp_path)
    assert distance(adapter(group, f"grpo-{zero}"), alone.adapter) < ATOL


@pytest.mark.full
def test_grpo_samples_on_sharded_ranks(group):
    first, second = told(group, "sampled")
    assert first["ended"] == second["ended"] == "well"
    assert all(np.isfinite(v).all() for v in adapter(group, "sampled").values())


@pytest.mark.full
@pytest.mark.parametrize("tag", LOSSES)
def test_each_loss_on_sharded_ranks_is_that_of_one(tag, group, context, tmp_path):
    alone = train(context, LOSSES[tag], MIXED, tmp_path)
    # the first steps of Adam magnify the rounding of small gradients
    assert distance(adapter(group, tag, 2), alone.adapter) < 5 * ATOL


@pytest.mark.full
@pytest.mark.parametrize("tag", SAMPLERS)
def test_each_sampler_trains_on_two_ranks(tag, group):
    first, second = told(group, tag)
    assert first["ended"] == second["ended"] == "well"
    assert unanswered(first) == second["reports"]
    trained = [v for k, v in adapter(group, tag, 2).items() if "lora_B" in k]
    assert all(np.isfinite(v).all() for v in trained)
    assert any(np.abs(v).max() > 0 for v in trained)


def test_what_says_that_it_runs_on_several_ranks_was_run_on_them():
    several = {t for t, c in CAPABILITIES.items() if c.distributed != "single"}
    assert several == {*SPECS, *LOSSES, *SAMPLERS}
    assert {CAPABILITIES[t].distributed for t in LOSSES} == {"zero"}
    assert {t: CAPABILITIES[t].distributed for t in SAMPLERS} == {
        t: "zero" if stage else "ddp" for t, (_, stage) in SAMPLERS.items()
    }


@pytest.mark.parametrize("zero", quick(STAGES, QUICK["dpo"]))
def test_all_ranks_get_the_same_reports(zero, group, alone):
    first, second = told(group, f"dpo-{zero}")
    assert unanswered(first) == second["reports"]
    assert [(r["step"], r["final"], r["state"]) for r in first["reports"]] == [
        (2, False, True),
        (4, True, False),
    ]
    checkpoints = alone["dpo"].checkpoints
    assert [r["tokens"] for r in first["reports"]] == [c.cost.tokens for c in checkpoints]
    losses = [c.metrics["loss"] for c in checkpoints]
    assert [r["loss"] for r in first["reports"]] == pytest.approx(losses, abs=1e-5)


@pytest.mark.parametrize("zero", quick(STAGES, QUICK["dpo"]))
def test_the_policy_that_is_reported_is_the_one_that_was_saved(zero, group, context, tiny_lm):
    from paretoflow.lm.adapters import adapter_on
    from paretoflow.lm.logprobs import sequence_logprobs

    last = told(group, f"dpo-{zero}")[0]["reports"][-1]
    prompts = context.candidates.prompt_ids
    with adapter_on(tiny_lm, group / f"dpo-{zero}" / "step-0004") as model:
        policy = sequence_logprobs(model, tiny_lm, prompts, last["answers"], 4)
    base = sequence_logprobs(tiny_lm.model, tiny_lm, prompts, last["answers"], 4)
    np.testing.assert_allclose(last["logprobs"], policy, atol=1e-4)
    np.testing.assert_allclose(last["base"], base, atol=1e-4)
    assert not np.allclose(policy, base, atol=1e-2)


@pytest.mark.full
def test_ranks_that_share_no_disk_keep_their_state_with_rank_0(group):
    # the same ranks add in the same order: a resumed run is the undisturbed one to the last bit
    assert told(group, "apart-rest")[0]["ended"] == "well"
    assert distance(adapter(group, "disk-0/apart-rest"), adapter(group, "dpo-3")) == 0
    parts = [p.name for p in (group / "disk-0/apart-first/checkpoint-3/global_step3").iterdir()]
    assert sum(name.endswith("optim_states.pt") for name in parts) == 2
    assert not [p for p in (group / "disk-1").rglob("*") if p.is_file()]


@pytest.mark.full
@pytest.mark.parametrize("zero", [2, 3])
def test_gradients_are_combined_over_all_ranks(zero, group, context, tmp_path):
    alone = train(context, SPECS["gradient_dpo"], MIXED, tmp_path)
    assert distance(adapter(group, f"gradient_dpo-{zero}"), alone.adapter) < ATOL


@pytest.mark.full
def test_offload_changes_memory_not_the_result(group, alone):
    assert distance(adapter(group, "offload"), alone["dpo"].adapter) < ATOL


def test_the_dual_controller_moves_alike_on_all_ranks(group, context, tmp_path):
    pulled = make_context(context.lm)
    object.__setattr__(pulled, "validate", gains_of_rank(0))
    alone = train(pulled, DUAL, PULLED, tmp_path)
    first, second = told(group, "dual")
    weights = [c.weights.tolist() for c in alone.checkpoints]
    assert [r["weights"] for r in first["reports"]] == weights
    assert [r["weights"] for r in second["reports"]] == weights
    assert distance(adapter(group, "dual"), alone.adapter) < ATOL
    record = alone.checkpoints[-1].constraint
    assert record is not None
    assert record["kept"]
    assert record["share"] < 1  # a mixture, that is, no rank has it from training


def test_a_run_that_blows_up_fails_on_all_ranks_and_the_group_goes_on(group):
    for rank in told(group, "wild"):
        assert rank["ended"].startswith("NonFiniteLossError")
        assert (rank["reports"], rank["usable"]) == ([], True)


def test_a_report_that_fails_on_one_rank_fails_on_all_and_the_group_goes_on(group):
    first, second = told(group, "full-disk")
    assert first["ended"] == "OSError: no space left"
    assert (
        second["ended"]
        == "WorkerError: rank 1: another rank of the worker group failed to evaluate"
    )
    assert first["usable"]
    assert second["usable"]


def test_a_warm_group_gives_what_a_fresh_one_gives(group):
    assert distance(adapter(group, "dpo-again"), adapter(group, "dpo-3")) == 0


def test_a_base_that_was_loaded_whole_trains_like_one_loaded_in_shards(group):
    assert distance(adapter(group, "dpo-whole"), adapter(group, "dpo-3")) == 0


def test_no_launch_leaves_a_trace_on_the_base(group):
    names = {path.name.rsplit(".", 2)[0] for path in group.glob("*.json")}
    assert names >= {
        *("dpo-3", "dpo-again", "dpo-whole", "dual", "full-disk", "grpo-3"),
        *("lost", "modpo-3-first", "modpo-3-rest", "refused", "torn", "wild"),
    }
    for name in names - {"lost", "refused"}:
        assert all(rank["untouched"] for rank in told(group, name)), name


def test_a_state_that_is_not_there_is_refused_on_all_ranks(group):
    for rank in told(group, "torn"):
        assert rank["ended"].startswith("MethodError")
        assert rank["usable"]


def test_an_error_of_one_rank_within_a_step_ends_the_group(group):
    first, second = told(group, "lost")
    assert second["ended"].startswith("MemoryError")
    assert second["out_of_memory"]
    assert first["ended"] != "well"
    assert not first["out_of_memory"]
    for rank in (*told(group, "lost"), *told(group, "refused")):
        assert not rank["usable"]
    for rank in told(group, "refused"):
        assert rank["ended"].startswith("WorkerError: an earlier launch ended out of step")


def test_no_tracker_is_imported_by_a_rank(group):
    assert [rank["trackers"] for rank in told(group, "dpo-3")] == [[], []]
    assert find_spec("wandb") is not None


def test_nothing_is_compiled(group):
    for rank in range(2):
        log = (group / f"rank-{rank}.log").read_text()
        assert "built successfully" not in log
        assert "Loading extension module" not in log


@pytest.mark.full
def test_one_rank_can_shard_and_offload(tiny_base_dir, tmp_path, alone):
    words = [sys.executable, "-m", "tests.integration.zero_rank", str(tiny_base_dir)]
    unplaced = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
    subprocess.run([*words, str(tmp_path)], env=unplaced, check=True, timeout=PATIENCE_S)
    row = json.loads((tmp_path / "single.0.json").read_text())
    assert (row["ended"], row["untouched"]) == ("well", True)
    assert distance(adapter(tmp_path, "single"), alone["dpo"].adapter) < ATOL
