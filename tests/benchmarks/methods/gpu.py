"""Methods of different kinds on a GPU: time and memory of a step.

`python -m tests.benchmarks.methods.gpu`; a few minutes. The script makes model and tokenizer, so
nothing is downloaded: 374 M random parameters in bf16, with LoRA. Each method has its own whole
sweep; Ray and deltalake are not needed, since it runs in this process with its ledger in memory.
`--small` is a toy model in float32, on a CPU by default, that only shows that the benchmark works:
its table is printed and not written.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from paretoflow import proposers
from paretoflow.core.ids import seed_of
from paretoflow.core.launch import Launch
from paretoflow.core.protocols import Checkpoint
from paretoflow.core.status import RunStatus
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.messages import Failure
from paretoflow.engine.runtime.executor import Executor
from paretoflow.engine.runtime.protocols import Attempt
from paretoflow.engine.session.folder import enter_folder, sweep_root
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.lm.generation import generate
from paretoflow.spec.sweep import SweepSpec
from tests.benchmarks.methods.inline import InlineBackend
from tests.benchmarks.methods.random_words import (
    FULL,
    SMALL,
    Setting,
    Size,
    evens,
    make_task,
    thirds,
)
from tests.benchmarks.results_file import write_table


@dataclass(frozen=True)
class Plan:
    """A method, who chooses its launches, and how many."""

    method: dict[str, Any]
    proposer: dict[str, Any] = field(default_factory=lambda: {"type": "lattice"})
    runs: int = 1


METHODS: dict[str, Plan] = {
    "dpo": Plan({"type": "dpo"}),
    "grpo": Plan({"type": "grpo"}),
    "mah_dpo": Plan({"type": "mah_dpo", "serve": {"points": 3}}),
    "dpo, soups": Plan({"type": "dpo"}, {"type": "soups"}, runs=3),
}
"""Name in the table to what is run: on pairs, online, a continuum, a merge of two runs."""
COLUMNS = (
    "method",
    "s per step",
    "tokens/s in training",
    "tokens/s in generation",
    "peak GiB in training",
    "peak GiB in evaluation",
    "last loss",
    "adapter",
    "adapter MB",
)


@dataclass(frozen=True)
class Figures:
    """Time and memory of a checkpoint since the one before, or since its run began.

    Args:
        steps: Optimiser steps; 0 for a merge.
        seconds: In training, evaluation apart.
        generated: Tokens per second.
        peaks: Most bytes of the GPU in training and in evaluation; 0 on a CPU.
        loss: None where there is no finite one.
        finite: Whether all of the adapter is.
    """

    steps: int
    seconds: float
    tokens: int
    generated: float
    peaks: tuple[int, int]
    loss: float | None
    finite: bool
    adapter_bytes: int


class MeasuredExecutor(Executor):
    """The real one, which notes what each checkpoint took."""

    def __init__(self, spec: SweepSpec, root: Any) -> None:
        super().__init__(spec, root)
        self.figures: list[Figures] = []
        self._step = 0

    def execute(self, launch: Launch, attempt: Attempt) -> Failure | None:
        """Execute an attempt; see `Executor`."""
        self._step = 0
        _reset_peak()
        failure = super().execute(launch, attempt)
        if failure is not None:
            print(failure.details, file=sys.stderr)
        return failure

    def _checkpoint(self, launch: Launch, checkpoint: Checkpoint, *given: Any) -> None:
        training = _peak_bytes()
        _reset_peak()
        super()._checkpoint(launch, checkpoint, *given)
        peaks = training, _peak_bytes()
        file = checkpoint.folder / "adapter_model.safetensors"
        self.figures.append(
            Figures(
                checkpoint.step - self._step,
                checkpoint.cost.wall_s,
                checkpoint.cost.tokens,
                self._generated(checkpoint.model),
                peaks,
                checkpoint.metrics.get("loss"),
                all(bool(t.isfinite().all()) for t in load_file(file).values()),
                file.stat().st_size,
            )
        )
        self._step = checkpoint.step
        _reset_peak()

    def _generated(self, model: Any) -> float:
        """Return tokens per second of answers to the evaluation prompts, which it is warm for."""
        prompts = self._prompts.eval
        seeds = [seed_of(0, p.prompt_id) for p in prompts]
        began = time.perf_counter()
        answers = generate(
            model, self._lm, [p.text for p in prompts], seeds, self._spec.model.generation
        )
        return sum(a.tokens for a in answers) / (time.perf_counter() - began)


def spec_of(name: str, setting: Setting) -> SweepSpec:
    """Return a method's sweep."""
    arm, size, folder = METHODS[name], setting.size, setting.folder
    training = {"steps": size.steps, "checkpoint_every": size.steps // 2, "batch_size": size.batch}
    shape = {"direction": "maximize", "unit": "share", "range": [0, 1], "ref": 0, "type": "import"}
    plain = {
        "name": re.sub(r"\W+", "-", name),
        "storage": str(folder / "sweeps"),
        "model": {
            "type": "pretrained",
            "path": str(folder / "base"),
            "dtype": setting.dtype,
            "device": setting.device,
            "generation": {"max_new_tokens": size.answer, "batch_size": size.prompts},
        },
        "data": {
            "type": "jsonl",
            "path": str(folder / "prompts.jsonl"),
            "train": size.prompts,
            "eval": size.prompts,
            "validation": size.prompts // 4,
        },
        "objectives": [
            {"name": o.__name__, "path": f"{o.__module__}:{o.__name__}", **shape}
            for o in (evens, thirds)
        ],
        "method": training | arm.method,
        "proposer": arm.proposer,
        "stop": {"runs": arm.runs},
        "engine": {"resources": {"gpus_per_rank": int(setting.device == "cuda")}},
    }
    return SweepSpec.model_validate(plain)


def measured(name: str, setting: Setting) -> tuple[list[Figures], SweepState]:
    """Run a method's sweep to its end; return the figures of its checkpoints, and its state."""
    spec = spec_of(name, setting)
    root = sweep_root(spec)
    enter_folder(spec, root)
    gc.collect()  # memory of the sweep before on the GPU
    executor = MeasuredExecutor(spec, root)
    proposer = proposers.build(spec.proposer, m=len(spec.objectives), runs=spec.stop.runs)
    driver = Driver(spec, MemoryLedger(MemoryStore()), InlineBackend(executor), proposer)
    driver.run()
    return executor.figures, driver.state


def row(name: str, figures: Sequence[Figures], state: SweepState) -> list[str]:
    """Return a method's row: its last checkpoint, or why a run failed."""
    wrong = [run.message for run in state.runs.values() if run.status is RunStatus.FAILED]
    if wrong or not figures:
        why = re.sub(r"\S*/\S+", "…", wrong[0]) if wrong else "no checkpoint"
        return [name, why, *[""] * (len(COLUMNS) - 2)]
    last = figures[-1]
    trained = last.steps > 0
    return [
        name,
        f"{last.seconds / last.steps:.3f}" if trained else f"merged in {last.seconds:.2f} s",
        f"{last.tokens / last.seconds:,.0f}" if trained else "",
        f"{last.generated:,.0f}",
        *(f"{peak / 2**30:.2f}" if peak else "" for peak in last.peaks),
        ("not finite" if last.loss is None else f"{last.loss:.3g}") if trained else "",
        "finite" if last.finite else "not finite",
        f"{last.adapter_bytes / 1e6:.1f}",
    ]


def notes(size: Size, dtype: str) -> str:
    """Return what the table's reader must know."""
    half = size.steps // 2
    return (
        f"A Llama of {size.layers} layers and {size.words:,} words in {dtype}, its parameters "
        "random: loss and scores say nothing of quality, only that the numbers hold. A LoRA of "
        f"rank 16 on all linear layers, batches of {size.batch} (pairs, or answers; mah_dpo: "
        f"pairs of each objective), prompts of {size.prompt} tokens, answers of {size.answer}. "
        f"Seconds and tokens are of the last {half} of {size.steps} steps, evaluation apart; the "
        "tokens are all that the steps read or wrote. grpo's steps sample too, and its loss is "
        "near 0 by its making: only what it drifts from the base adds to it. Generation is of "
        f"{size.prompts} answers at once with the adapter on. Peaks are what torch allocated, the "
        "base included."
    )


def main(
    *, small: bool = False, device: str = "cuda", dtype: str = "bfloat16", only: str = ""
) -> None:
    """Run the sweeps and write the table; a small one, or some methods, are only printed."""
    size = SMALL if small else FULL
    with tempfile.TemporaryDirectory() as scratch:
        setting = Setting(size, device, dtype, Path(scratch))
        make_task(setting)
        rows = []
        for name in [only] if only else METHODS:
            rows.append(row(name, *measured(name, setting)))
            print(" | ".join(rows[-1]), flush=True)
    write_table(
        "methods_gpu",
        "Methods of different kinds on a GPU",
        "python -m tests.benchmarks.methods.gpu",
        COLUMNS,
        rows,
        notes(size, dtype),
        quick=small or bool(only),
    )


def refusal(*, small: bool, device: str) -> str:
    """Return why there is nothing to measure here; empty where there is."""
    if device == "cuda" and not torch.cuda.is_available():
        return "torch sees no GPU here: add --small for a toy model on the CPU"
    if device == "cpu" and not small:
        return "the full model wants a GPU: add --small for a toy model on the CPU"
    return ""


def run(arguments: Sequence[str]) -> int:
    """Run as the command line says; return its status."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--device", choices=("cuda", "cpu"))
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("--only", choices=list(METHODS), default="")
    given = parser.parse_args(arguments)
    device = given.device or ("cpu" if given.small else "cuda")
    dtype = given.dtype or ("float32" if device == "cpu" else "bfloat16")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # a trainer would spread over several
    if why := refusal(small=given.small, device=device):
        print(why, file=sys.stderr)
        return 2
    main(small=given.small, device=device, dtype=dtype, only=given.only)
    return 0


def _peak_bytes() -> int:
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0


def _reset_peak() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
