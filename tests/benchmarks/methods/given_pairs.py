"""People's pairs and ratings against the base's own answers, on letters, whose front is known.

`python -m tests.benchmarks.methods.given_pairs --folder FOLDER [--seeds 2]`. "People" are the
process that wrote the base's training data: eight answers to each prompt, two pairs of them for
each objective, labelled by the true scores. All arms have equal training and evaluations; the arm
on the base's own answers also samples and scores eight answers to each prompt. Learning rate and
all other options are the method's defaults, or those of the benchmark of methods. A sweep with a
record in the folder is not run again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from paretoflow.front.hypervolume import hypervolume
from paretoflow.spec.sweep import SweepSpec
from tests.benchmarks.methods import letters
from tests.benchmarks.methods.inline import run_inline
from tests.benchmarks.results_file import write_table

WEIGHTS = 3
TRAINING = {"steps": 60, "batch_size": 16, "learning_rate": 1e-3, "checkpoint_every": 20}
ANSWERS = 8
PAIRS = 2
"""Pairs of each prompt for each objective."""
OBJECTIVES = ("echo", "variety")

RACO = {"type": "gradient_dpo", "combiner": "raco"}
ARMS: Mapping[str, tuple[dict[str, Any], str, float]] = {
    "dpo, own answers": ({"type": "dpo"}, "own", 1.0),
    "dpo, ratings": ({"type": "dpo"}, "ratings", 0.0),
    "dpo, pairs": ({"type": "dpo"}, "pairs", 0.0),
    "dpo, pairs, beta 0.1": ({"type": "dpo", "beta": 0.1}, "pairs", 0.0),
    "dpo, pairs on prompts of their own": ({"type": "dpo"}, "apart", 0.0),
    "dpo, pairs and a quarter own": ({"type": "dpo"}, "pairs", 0.25),
    "raco, own answers": (RACO, "own", 1.0),
    "raco, pairs": (RACO, "pairs", 0.0),
    "modpo, own answers": ({"type": "modpo"}, "own", 1.0),
    "modpo, pairs": ({"type": "modpo"}, "pairs", 0.0),
}
"""Method, data and the share of the base's own answers."""

TOLD = ("dpo, own answers", "dpo, pairs", "modpo, own answers", "modpo, pairs")
NOTES = (
    f"{WEIGHTS} weights, {TRAINING['steps']} steps of {TRAINING['batch_size']} each, evaluated 3 "
    f"times; small, and nothing was tuned on it. {ANSWERS} answers to each of 64 prompts, by the "
    f"process that wrote the base's training data; {PAIRS} pairs of them for each objective, "
    "taken at random among those whose true scores differ, where `own answers` takes the widest "
    "two of 28. `prompts of their own`: half of the prompts for either objective. Device seconds "
    "hold noise of a busy machine; the sampling of 512 short answers is not in them. Where runs "
    "ended (echo, variety) by the weight of echo, seed 0: "
)


def answer(letter: str, rng: random.Random) -> str:
    """Return an answer as the base's training data has them; see `letters`."""
    echoes = rng.random()
    return " ".join(
        letter if rng.random() < echoes else rng.choice(letters.LETTERS)
        for _ in range(letters.ANSWER)
    )


def write_given(folder: Path, prompts: list[str], seed: int) -> None:
    """Write pairs of each objective, on all prompts and on every other one, and ratings."""
    rng = random.Random(seed)
    files: dict[str, list[dict[str, Any]]] = {}
    for number, prompt in enumerate(sorted(prompts)):
        letter = prompt.split()[1]
        said = list(dict.fromkeys(answer(letter, rng) for _ in range(4 * ANSWERS)))[:ANSWERS]
        scores = {one: letters.scores_of(letter, one) for one in said}
        columns = {name: [scores[one][i] for one in said] for i, name in enumerate(OBJECTIVES)}
        rows = [f" {one}" for one in said]
        files.setdefault("ratings", []).append({"prompt": prompt, "answers": rows, **columns})
        for i, name in enumerate(OBJECTIVES):
            apart = [
                p for p in itertools.combinations(said, 2) if scores[p[0]][i] != scores[p[1]][i]
            ]
            for pair in rng.sample(apart, PAIRS):
                worse, better = sorted(pair, key=lambda one, i=i: scores[one][i])
                row = {"prompt": prompt, "chosen": f" {better}", "rejected": f" {worse}"}
                files.setdefault(name, []).append(row)
                if number % 2 == i:
                    files.setdefault(f"{name}-apart", []).append(row)
    for name, rows_of_file in files.items():
        text = "".join(json.dumps(row) + "\n" for row in rows_of_file)
        (folder / f"{name}-{seed}.jsonl").write_text(text, encoding="utf-8")


def data_of(head: dict[str, Any], kind: str, own: float, folder: Path, seed: int) -> dict[str, Any]:
    """Return the data section of an arm."""
    sizes = {key: head["data"][key] for key in ("train", "eval", "validation", "candidates")}
    if kind == "own":
        return dict(head["data"])
    if kind == "ratings":
        source = {
            "path": str(folder / f"ratings-{seed}.jsonl"),
            "columns": {"completions": "answers"},
            "ratings": {name: name for name in OBJECTIVES},
        }
        return {"type": "ratings", "sources": [source], **sizes}
    suffix = "-apart" if kind == "apart" else ""
    sources = [
        {"path": str(folder / f"{name}{suffix}-{seed}.jsonl"), "objective": name}
        for name in OBJECTIVES
    ]
    return {"type": "preferences", "sources": sources, "sampled": own, **sizes}


def record(arm: str, seed: int, folder: Path) -> dict[str, Any]:
    """Return the record of a sweep; run the sweep if there is no record."""
    name = "".join(c if c.isalnum() else "_" for c in arm)
    path = folder / "records" / f"{name}-{seed}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        head = letters.make_task(folder)
        prompts = [
            json.loads(x)["prompt"] for x in (folder / "prompts.jsonl").read_text().splitlines()
        ]
        write_given(folder, prompts, seed)
        method, kind, own = ARMS[arm]
        plain = {
            "name": f"{name}-{seed}",
            "seed": seed,
            "storage": str(folder / "sweeps"),
            **head,
            "data": data_of(head, kind, own, folder, seed),
            "method": {**TRAINING, **method},
            "proposer": {"type": "lattice"},
            "stop": {"runs": WEIGHTS},
        }
        spec = SweepSpec.model_validate(plain)
        state = run_inline(spec)
        gains = np.array([row.scores for row in state.evaluations])
        found = {
            "hypervolume": float(hypervolume(gains, np.zeros(2))),
            "seconds": sum(row.cost.device_s for row in state.evaluations),
            "sampled": head["data"]["train"] * ANSWERS if own else 0,
            "ends": [
                [list(row.weights), np.asarray(row.scores).tolist()]
                for row in state.evaluations
                if row.step == TRAINING["steps"]
            ],
        }
        path.write_text(json.dumps(found), encoding="utf-8")
        shutil.rmtree(Path(spec.storage) / spec.name)
        print(arm, seed, found["hypervolume"], flush=True)
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def main() -> None:
    """Run what is missing, and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args()
    whole = letters.true_hypervolume()
    found: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for seed, arm in itertools.product(range(asked.seeds), ARMS):
        found[arm].append(record(arm, seed, asked.folder))
    own = mean(r["hypervolume"] for r in found["dpo, own answers"])
    rows = []
    for arm, records in found.items():
        volumes = [r["hypervolume"] for r in records]
        rows.append(
            [
                arm,
                len(records),
                f"{mean(volumes):.3f} ({min(volumes):.3f} to {max(volumes):.3f})",
                f"{mean(volumes) / whole:.0%}",
                f"{mean(volumes) / own:.0%}",
                records[0]["sampled"],
                f"{mean(r['seconds'] for r in records):.0f}",
            ]
        )
    write_table(
        "given_pairs",
        "People's pairs and ratings against the base's own answers: letters",
        f"python -m tests.benchmarks.methods.given_pairs --folder FOLDER --seeds {asked.seeds}",
        [
            "data", "seeds", "hypervolume, mean (least to most)", "of the true front",
            "of dpo on own answers", "answers sampled to train on", "device s",
        ],
        rows,
        notes=NOTES + " ".join(_ends(arm, found[arm]) for arm in TOLD),
    )  # fmt: skip


def _ends(arm: str, records: list[dict[str, Any]]) -> str:
    """Return where runs of seed 0 ended, by the weight of echo."""
    ends = sorted((w[0], scores) for w, scores in records[0]["ends"])
    told = ", ".join(f"{w:g}: ({a:.2f}, {b:.2f})" for w, (a, b) in ends)
    return f"{arm}: {told}."


if __name__ == "__main__":
    main()
