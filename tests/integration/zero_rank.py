"""One rank of a group of two: takes many launches, one after the other, and writes their outcomes.

`test_zero.py` starts two of it: `python -m tests.integration.zero_rank BASE OUT [full]`. Started
without RANK and WORLD_SIZE it is alone, and takes one launch.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from paretoflow.core.launch import Launch
from paretoflow.core.protocols import AttemptContext, Candidates, Checkpoint, Parallel
from paretoflow.core.values import FloatArray, LaunchKind, Proposal, WeightVector
from paretoflow.engine.failures.memory import is_out_of_memory
from paretoflow.methods import build
from paretoflow.methods.training.states import latest_state
from paretoflow.spec.methods import (
    BcoMethodSpec,
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
    MethodSpec,
    MmDpoMethodSpec,
    ModpoMethodSpec,
    ProMethodSpec,
    RlooMethodSpec,
    RpoMethodSpec,
    SftMethodSpec,
    SimpoMethodSpec,
)
from tests.method_bench import make_context, plain_dpo, weighted

MIXED = weighted(0.5, 0.3, 0.2)
PULLED = Proposal(
    LaunchKind.CONSTRAINED,
    WeightVector((1.0, 0.0, 0.0)),
    0,
    "test",
    "test",
    target=0,
    thresholds=(0.0, -0.2, -1.0),
)
SHARED: dict[str, Any] = {"steps": 4, "batch_size": 4, "learning_rate": 5e-3, "checkpoint_every": 2}
SPECS: dict[str, MethodSpec] = {
    "dpo": plain_dpo(**SHARED),
    "modpo": ModpoMethodSpec(type="modpo", **SHARED),
    "bco": BcoMethodSpec(type="bco", beta=1.0, **SHARED),
    "gradient_dpo": GradientDpoMethodSpec(type="gradient_dpo", **SHARED),
    "grpo": GrpoMethodSpec(type="grpo", **SHARED),
}
SHORT: dict[str, Any] = {"steps": 2, "batch_size": 4, "learning_rate": 5e-3}
LOSSES: dict[str, MethodSpec] = {
    "ln_dpo": LnDpoMethodSpec(type="ln_dpo", **SHORT),
    "ipo": IpoMethodSpec(type="ipo", **SHORT),
    "rpo": RpoMethodSpec(type="rpo", **SHORT),
    "f_dpo": FDpoMethodSpec(type="f_dpo", **SHORT),
    "mm_dpo": MmDpoMethodSpec(type="mm_dpo", **SHORT),
    "kto": KtoMethodSpec(type="kto", **SHORT),
    "lipo": LipoMethodSpec(type="lipo", **SHORT),
    "pro": ProMethodSpec(type="pro", **SHORT),
    "sft": SftMethodSpec(type="sft", **SHORT),
    "simpo": SimpoMethodSpec(type="simpo", **SHORT),
}
"""The other methods on the base's answers, which say that they run at any stage."""
SAMPLERS: dict[str, tuple[MethodSpec, int]] = {
    "rloo": (RlooMethodSpec(type="rloo", **SHORT), 3),
    "grao": (GraoMethodSpec(type="grao", **SHORT), 3),
    "ipo_md": (IpoMdMethodSpec(type="ipo_md", **SHORT), 0),
}
"""The other methods on fresh answers, with the highest stage that they say they run at."""
QUICK = {"dpo": (3,), "modpo": (3,), "grpo": (3,)}
"""Stages that `make test` tries; `make test-full` tries them all, and all other methods."""
DUAL = plain_dpo(**SHARED, dual=DualSpec(every=1, caution=0, checks=4))
WILD = plain_dpo(**{**SHARED, "learning_rate": 1e30})


class WorkerGroup:
    """This rank, its loaded bases, and where it writes: one base is whole, the other is sharded."""

    def __init__(self, base: Path, out: Path) -> None:
        from paretoflow.lm.base import load_folder
        from paretoflow.methods.distributed.sharded import loading

        self.rank = int(os.environ.get("RANK", "0"))
        self.ranks = int(os.environ.get("WORLD_SIZE", "1"))
        self._lm = load_folder(base, name="tiny")
        with loading(Parallel(self.rank, self.ranks, 3), "cpu", "float32"):
            self._sharded = load_folder(base, name="tiny")
        self._before = self._traces()
        self._out = out
        self.context = make_context(self._lm)

    def launch(
        self,
        name: str,
        spec: MethodSpec,
        zero: int,
        *,
        seen: Callable[[Checkpoint], None] = lambda checkpoint: None,
        offload: bool = False,
        disk: str = "",
        whole: bool = False,
        **fields: Any,
    ) -> None:
        """Take one launch; what it reported and how it ended goes to `<name>.<rank>.json`.

        At ZeRO 3 it is on the sharded base, unless `whole`.
        """
        from paretoflow.methods.distributed.ranks import usable

        folder = self._out / disk / name
        folder.mkdir(parents=True, exist_ok=True)
        parallel = Parallel(self.rank, self.ranks, zero, offload)
        launch = Launch(name, 0, replace(fields.pop("proposal", MIXED), seed=0))
        attempt = AttemptContext(launch, folder, parallel=parallel, **fields)
        reports: list[dict[str, Any]] = []
        lm = self._sharded if zero == 3 and not whole else self._lm

        def report(checkpoint: Checkpoint) -> None:
            seen(checkpoint)
            reports.append(self._look(checkpoint))

        ended, memory = "well", False
        started = time.perf_counter()
        try:
            build(spec, replace(self.context, lm=lm)).train(attempt, report)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what the test asks about
            ended, memory = f"{type(error).__name__}: {error}", is_out_of_memory(error)
        row = {
            "reports": reports,
            "ended": ended,
            "out_of_memory": memory,
            "untouched": self._traces() == self._before,
            "usable": usable(),
            "trackers": sorted({"mlflow", "wandb"} & sys.modules.keys()),
            "wall_s": time.perf_counter() - started,
        }
        (self._out / f"{name}.{self.rank}.json").write_text(json.dumps(row, indent=1))

    def _traces(self) -> list[dict[str, Any]]:
        return [traces(lm.model) for lm in (self._lm, self._sharded)]

    def interrupted(
        self, name: str, spec: MethodSpec, zero: int, step: int, disk: str = ""
    ) -> None:
        """Execute a launch that only rank 1 has to stop, then continue from its saved state."""
        asked: list[int] = []

        def stop() -> bool:
            asked.append(1)
            return self.rank == 1 and len(asked) == step

        self.launch(f"{name}-first", spec, zero, disk=disk, should_stop=stop)
        attempt = self._out / disk / f"{name}-first"
        state = attempt / f"checkpoint-{step}"
        if self.rank == 0:
            assert latest_state([attempt], Parallel(0, self.ranks, zero)) == state
        self.launch(f"{name}-rest", spec, zero, disk=disk, resume_from=state)

    def _look(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Use the policy as an evaluation does, which rank 0 makes."""
        row = {
            "step": checkpoint.step,
            "final": checkpoint.final,
            "tokens": checkpoint.cost.tokens,
            "weights": checkpoint.weights.tolist(),
            "loss": checkpoint.metrics["loss"],
            "state": checkpoint.state is not None and checkpoint.state.is_dir(),
        }
        return row | (self._answers(checkpoint.model) if self.rank == 0 else {})

    def _answers(self, model: Any) -> dict[str, Any]:
        from paretoflow.lm.base import encode
        from paretoflow.lm.generation import generate
        from paretoflow.lm.logprobs import sequence_logprobs

        prompts = [p.text for p in self.context.candidates.prompts]
        answers = generate(model, self._lm, prompts, range(4), self.context.generation)
        ids = [a.token_ids for a in answers]
        with model.disable_adapter():
            base = sequence_logprobs(model, self._lm, encode(self._lm, prompts), ids, 4)
        return {
            "answers": [list(i) for i in ids],
            "logprobs": [a.logprob for a in answers],
            "base": base.tolist(),
        }


def traces(model: Any) -> dict[str, Any]:
    """Return all that a launch might change of a base, on this rank."""
    from paretoflow.lm.whole import held_of

    parts = {name: held_of(p) for name, p in model.named_parameters()} | dict(model.named_buffers())
    return {
        "values": {k: hashlib.sha256(v.numpy().tobytes()).hexdigest() for k, v in parts.items()},
        "gathered": [p.shape for p in model.parameters()],
        "trained": [n for n, p in model.named_parameters() if p.requires_grad],
        "of parameters": [
            sorted(vars(p).keys() - {"_is_hf_initialized"}) for p in model.parameters()
        ],
        "of modules": {n: sorted(vars(m)) for n, m in model.named_modules()},
        "hooks": [n for n, m in model.named_modules() if m._forward_hooks or m._forward_pre_hooks],
    }


def scripted(table: Candidates, rank: int, generations: int) -> Callable[..., Any]:
    """Return GRPO's sampling with fixed answers, the same for any number of ranks.

    The answer is the prompt's candidate with the number that the row has in its group.
    """

    def turn(self: Any, prompt_ids: Sequence[Sequence[int]], *_: Any) -> tuple[Any, None]:
        first = rank * len(prompt_ids)
        rows = [table.prompt_ids.index(tuple(ids)) for ids in prompt_ids]
        numbers = [(first + i) % generations for i in range(len(rows))]
        return [list(table.completion_ids[r][n]) for r, n in zip(rows, numbers, strict=True)], None

    return turn


def refuse(checkpoint: Checkpoint) -> None:
    """Fail as a full disk does."""
    raise OSError("no space left")


def gains_of_rank(rank: int) -> Callable[[Any], FloatArray]:
    """Return validation gains that differ a little between ranks, as rounding might.

    They follow how far the adapter has come.
    """

    def validate(model: Any) -> FloatArray:
        parts = [p for name, p in model.named_parameters() if "lora_B" in name]
        way = float(sum(p.detach().abs().sum() for p in parts)) + rank * 1e-9
        return np.array([way, -way, 0.0])

    return validate


def main(group: WorkerGroup, out: Path, *, full: bool) -> None:
    """Take all launches of the test, in an order in which each stage follows another."""
    for zero in (3, 2, 1, 0):
        if full or zero in QUICK["dpo"]:
            group.launch(f"dpo-{zero}", SPECS["dpo"], zero)
        if full or zero in QUICK["modpo"]:
            group.interrupted(f"modpo-{zero}", SPECS["modpo"], zero, step=3)
    if full:
        group.interrupted("apart", SPECS["dpo"], 3, step=3, disk=f"disk-{group.rank}")
        group.interrupted("bco", SPECS["bco"], 3, step=3)
        group.launch("offload", SPECS["dpo"], 3, offload=True)
        for zero in (2, 3):
            group.launch(f"gradient_dpo-{zero}", SPECS["gradient_dpo"], zero)
        for tag in LOSSES:
            group.launch(tag, LOSSES[tag], 3)
        for tag in SAMPLERS:
            group.launch(tag, *SAMPLERS[tag])
    validate = group.context.validate
    object.__setattr__(group.context, "validate", gains_of_rank(group.rank))
    group.launch("dual", DUAL, 3, proposal=PULLED)
    object.__setattr__(group.context, "validate", validate)
    if full:
        group.launch("sampled", SPECS["grpo"], 3)
    # not sooner: methods load TRL without the trackers that are installed
    from paretoflow.methods.online.grpo import GrpoTrainer

    own_turn = GrpoTrainer._generate_single_turn
    GrpoTrainer._generate_single_turn = scripted(group.context.candidates, group.rank, 4)
    for zero in (0, 3) if full else QUICK["grpo"]:
        group.launch(f"grpo-{zero}", SPECS["grpo"], zero)
    GrpoTrainer._generate_single_turn = own_turn
    group.launch("wild", WILD, 3)
    group.launch("full-disk", SPECS["dpo"], 3, seen=refuse if group.rank == 0 else lambda c: None)
    group.launch("dpo-again", SPECS["dpo"], 3)
    group.launch("dpo-whole", SPECS["dpo"], 3, whole=True)
    group.launch("torn", SPECS["dpo"], 3, resume_from=out / "no-such-state")
    lose(group)


def lose(group: WorkerGroup) -> None:
    """Let rank 1 alone run out of memory in a step, and end; rank 0 is left waiting for it."""
    from paretoflow.methods.preferences.pairs import PairStream

    if group.rank == 1:

        def exhausted(*_: Any) -> Any:
            raise MemoryError

        PairStream.draw = exhausted
    group.launch("lost", SPECS["dpo"], 3)
    group.launch("refused", SPECS["dpo"], 3)


if __name__ == "__main__":
    group = WorkerGroup(Path(sys.argv[1]), Path(sys.argv[2]))
    gc.freeze()  # each launch collects garbage, and all modules are not
    if group.ranks == 1:
        group.launch("single", SPECS["dpo"], 3, offload=True)
    else:
        main(group, Path(sys.argv[2]), full=sys.argv[3:] == ["full"])
