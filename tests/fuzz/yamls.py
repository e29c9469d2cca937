"""Mutates sweep YAMLs and asks `check` about them: never a traceback, never a hang.

A mutant either passes or ends in status 2 with `error:` and a place. Some that pass are simulated
too, for what `check` lets through must be able to begin.

    python -m tests.fuzz.yamls --minutes 60 --seed 7
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from paretoflow.cli.main import main
from paretoflow.engine.session.simulate import simulate
from paretoflow.spec.load import load_spec
from paretoflow.spec.shape import variants
from paretoflow.spec.sweep import SweepSpec
from tests.faults import printed
from tests.fuzz.limits import Hang, at_most

JOBS = Path(__file__).parents[2] / "jobs"
LIMIT_S = 20
"""Seconds of the processor that one mutant may take; the slowest honest one takes a few."""
SIMULATED = 0.2
DEEP = 100
"""Share of the mutants that pass which are simulated too."""

SEEDS = [
    *[path.read_text(encoding="utf-8") for path in sorted(JOBS.glob("*.yaml"))],
    """name: all
objectives:
  - {name: a, type: length, range: [0, 60], ref: 60, direction: minimize}
  - {name: b, type: import, path: "statistics:mean", range: [0, 1], ref: 0}
  - {name: c, type: regex, pattern: "(a|b)+", range: [0, 9]}
  - {name: d, type: system, measure: trainable_parameters, range: [0, 2e5]}
model: {type: embedded, lora: {rank: 4, ranks: {q_proj: 2}}, generation: {max_new_tokens: 8}}
method: {type: grpo, steps: 4, checkpoint_every: 2, generations: 2, aggregation: {type: pama}}
search: {rank: {choices: [2, 4]}, learning_rate: {low: 1e-4, high: 1e-2, scale: log}}
proposer: {type: psl}
engine: {worker_groups: 3, resources: {ranks: 2, zero: 2}, limits: {run_s: 5}, price: 2}
stop: {runs: 8, hours: 3, cost: 4, stagnation: {runs: 3}, gain_below: 0.1, rungs: {reduction: 3}}
tracking: [{type: tensorboard}, {type: wandb, project: x}]
""",
    """name: &n two
seed: 3
objectives: &o
  - {name: a, type: length, range: [0, 60], ref: 60}
  - {name: b, type: rouge, range: [0, 1], ref: 0}
method: {type: f_dpo, divergence: alpha}
proposer: {type: reevaluate, of: {type: portfolio, arms: [{type: gp_hvi}, {type: cmorl}]}}
stop: {<<: {runs: 9}}
""",
]

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2, 7, 10**9, 10**25, -(10**400), 0.0, -0.0, 0.5, 1e308, 1e-308,
    float("inf"), float("-inf"), float("nan"), "", " ", "a", "é日本", "\u202e", "\x1b[2J", "null",
    "nan", "1e3", "0x1F", "{x}", "{", "%s", "../..", "/", "~", "$HOME", "${NOT_SET}", "s3://",
    "s3://b/../c", "file:///", "http://[::1", "a:b", ":", "a:", "os:system", "a" * 5000, "(a+)+$",
    "[", "\\", [], {}, [[]], [None], [1, 2], [2, 1], ["a", "a"], [{}], {"a": None}, {"": 1},
    {"type": None}, {"type": []}, {"type": "dpo"}, {"type": "length"}, [float("nan"), 1],
    [0, float("inf")], {"low": 1, "high": 0}, {"choices": []}, {"choices": [1, 1, "a"]},
]  # fmt: skip

LINES = [
    "\t", "- ", "? ", ": ", "<<: *n", "<<: {}", "&a", "*a", "!!python/object:os.system x",
    "!!float x", "!!binary ====", "---", "...", "%YAML 9.9", "#", "|", ">", "'", '"',
    '"\\U00110000"', "[", "]", "{", "}", "name: x", "stop: {runs: 3}",
    "\x00", "\x07", "\ufeff", "\u2028", "x: y: z", "0: 1",
]  # fmt: skip


def names() -> list[str]:
    """Return every key and tag that a YAML may hold, so that mutants reach deep."""
    found: set[str] = set()
    seen: set[type] = set()

    def walk(model: type) -> None:
        if model in seen:
            return
        seen.add(model)
        for name, field in model.model_fields.items():  # type: ignore[attr-defined]
            found.add(name)
            found.update(_texts(field.annotation))
            for child in _models(field.annotation):
                walk(child)

    walk(SweepSpec)
    return sorted(found)


def _models(annotation: Any) -> Iterator[type]:
    yield from variants(annotation)
    for inner in getattr(annotation, "__args__", ()):
        if not isinstance(inner, str | int):
            yield from _models(inner)


def _texts(annotation: Any) -> Iterator[str]:
    for inner in getattr(annotation, "__args__", ()):
        if isinstance(inner, str):
            yield inner
        elif not isinstance(inner, int):
            yield from _texts(inner)


NAMES = names()


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value below a value, down to the depth that no spec has."""
    items: Any = ()
    if len(path) > DEEP:
        return
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (*path, key)
        yield from paths_of(inner, (*path, key))


def reshaped(text: str, rng: random.Random) -> str:
    """Change values, keys and places of a document; return it as YAML."""
    document = yaml.safe_load(text)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        paths = list(paths_of(document))
        if not paths:
            break
        *above, last = rng.choice(paths)
        parent = document
        for key in above:
            parent = parent[key]
        kind = rng.randrange(7)
        if kind <= 2:
            parent[last] = deepcopy(rng.choice([*VALUES, rng.choice(NAMES)]))
        elif kind == 3 and isinstance(parent, dict):
            parent[rng.choice(NAMES)] = parent.pop(last)
        elif kind == 4 and isinstance(parent, dict):
            parent[rng.choice(NAMES)] = deepcopy(rng.choice(VALUES))
        elif kind == 5:
            del parent[last]
        else:
            parent[last] = (
                json.loads(json.dumps(document, default=str))
                if rng.random() < 0.1
                else [parent[last]]
            )
    return yaml.safe_dump(document, allow_unicode=rng.random() < 0.5, sort_keys=False)


def torn(text: str, rng: random.Random) -> str:
    """Change the text of a document, whatever it means."""
    lines = text.splitlines(keepends=True)
    for _ in range(rng.choice([1, 1, 2, 5])):
        kind, at = rng.randrange(7), rng.randrange(max(1, len(lines)))
        if kind == 0 and lines:
            del lines[at]
        elif kind == 1:
            lines.insert(at, rng.choice(LINES) + rng.choice(["\n", ""]))
        elif kind == 2 and lines:
            lines.insert(rng.randrange(len(lines)), lines[at])
        elif kind == 3 and lines:
            lines[at] = " " * rng.randrange(1, 9) + lines[at].lstrip()
        elif kind == 4 and lines:
            cut = rng.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:cut] + rng.choice(LINES) + lines[at][cut:]
        elif kind == 5:
            lines = lines[: at + 1]
        elif lines:
            lines[at] = lines[at].replace(
                rng.choice("0123456789:,{}[] "), rng.choice("-:,{}[]'\"9")
            )
    return "".join(lines)


def grown(text: str, rng: random.Random) -> str:
    """Make something of a document very deep, long or wide."""
    depth = rng.choice([50, 400, 3000])
    grow: list[Callable[[], str]] = [
        lambda: text + "x: " + "[" * depth + "]" * depth + "\n",
        lambda: text + "x: " + "{a: " * depth + "1" + "}" * depth + "\n",
        lambda: text + "seed: " + "9" * depth + "\n",
        lambda: text + "".join(f"k{i}: {i}\n" for i in range(depth)),
        lambda: text + "a: &a [x, x]\n" + "".join(
            f"a{i}: &a{i} [*a{i - 1 if i else ''}, *a{i - 1 if i else ''}]\n" for i in range(40)
        ),
        lambda: text.replace("name: ", "name: " + "n" * depth, 1),
        lambda: text + "objectives:\n" + "  - {name: a, type: length}\n" * depth,
    ]  # fmt: skip
    return rng.choice(grow)()


class _Oracle:
    """Scores that depend on the weights a little."""

    def __init__(self, m: int) -> None:
        self._m = m

    def launch(self, proposal: Any, rng: Any) -> list[tuple[float, list[float]]]:
        weights = list(proposal.weights) if proposal.weights else [1 / self._m] * self._m
        return [(1.0, [w + 0.1 * rng.random() for w in weights])]


def fault_of(text: str, folder: Path, rng: random.Random) -> str:
    """Return what is wrong with how a mutant is answered; empty for nothing."""
    job = folder / "job.yaml"
    job.write_bytes(text.encode("utf-8", "surrogatepass"))
    out, err = io.StringIO(), io.StringIO()
    try:
        with at_most(LIMIT_S), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(["check", str(job)])
            if status == 0 and rng.random() < SIMULATED:
                _simulate(job)
    except Hang:
        return f"hang: longer than {LIMIT_S} s"
    except BaseException:  # noqa: BLE001 - anything that escapes is what is looked for
        return "traceback: " + traceback.format_exc()
    told = err.getvalue()
    if status not in (0, 2):
        return f"status {status}: {told[:300]}"
    if status == 2 and not printed(told):
        return f"no error told: {told[:300]}"
    if "Traceback" in told:
        return f"traceback told: {told[:300]}"
    return ""


def _simulate(job: Path) -> None:
    spec = load_spec(job)
    declared = all(objective.range is not None for objective in spec.objectives)
    if spec.stop.runs <= 20 and declared:  # without a base there is nothing to calibrate from
        simulate(spec, _Oracle(len(spec.objectives)))


def fuzz(
    seed: int, seconds: float, tell: Callable[[str], None] = lambda line: None
) -> Counter[str]:
    """Try mutants for so many seconds; return how many, and every fault with how often it came.

    Args:
        seed: Of the mutants: the same seed tries the same ones in the same order.
        seconds: How long; the mutant at work is finished.
        tell: Called for each new fault, with the mutant that showed it.
    """
    rng = random.Random(seed)
    counted: Counter[str] = Counter()
    until = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        while time.monotonic() < until:
            mutate = rng.choice([reshaped, reshaped, reshaped, torn, torn, grown])
            text = mutate(rng.choice(SEEDS), rng)
            counted["mutants"] += 1
            fault = fault_of(text, Path(place), rng)
            if fault:
                short = fault.strip().splitlines()[-1][:200] if "\n" in fault else fault[:200]
                if short not in counted:
                    tell(f"{fault}\n--- mutant\n{text[:3000]}\n---")
                counted[short] += 1
    return counted


def run(argv: list[str] | None = None) -> int:
    """Fuzz from the command line; the exit status is 1 when anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    os.environ.setdefault("COLUMNS", "100")
    counted = fuzz(given.seed, 60 * given.minutes, lambda line: print(line, flush=True))  # noqa: T201
    print(f"{counted.pop('mutants')} mutants, {sum(counted.values())} faults")  # noqa: T201
    return int(bool(counted))


if __name__ == "__main__":
    sys.exit(run())
