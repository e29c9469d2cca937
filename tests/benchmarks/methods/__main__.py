"""Every method on one task: `python -m tests.benchmarks.methods [--task letters] [--seeds 3]`.

An arm with a result in the folder (`--folder`) is not run again, so an interrupted benchmark can be
continued.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from tests.benchmarks.methods.arms import ARMS, RATES, RUNS, TASKS, TRAINING
from tests.benchmarks.methods.letters import true_hypervolume
from tests.benchmarks.methods.sitting import sit
from tests.benchmarks.results_file import write_table

BASELINE = "dpo"


def main(
    quick: bool = False,
    *,
    task: str = "letters",
    seeds: int = 3,
    folder: Path | None = None,
    tune: bool = False,
    told: bool = False,
) -> None:
    """Run what has no result yet, unless only what is there is to be `told`; write the table."""
    seeds = 1 if quick else seeds
    with tempfile.TemporaryDirectory() as scratch:
        place = folder or Path(scratch)
        arms = [BASELINE, "modpo"] if quick else list(ARMS)
        for seed in range(0 if told else seeds):
            sit(task, seed, place, arms, tune=tune)
        found = {arm: results(place, task, arm, seeds) for arm in arms}
    missing = [arm for arm, results_of in found.items() if told and not results_of]
    found = {arm: results_of for arm, results_of in found.items() if arm not in missing}
    best = true_hypervolume() if task == "letters" else None
    rows = [row(arm, told, found[BASELINE], best) for arm, told in found.items()]
    options = f"--task {task} --seeds {seeds}" + (" --told" if told else "")
    left_out = f" Not run under these defaults: {'; '.join(missing)}." if missing else ""
    write_table(
        f"methods_{task}",
        f"Methods at equal budget: {task}",
        f"python -m tests.benchmarks.methods {options}",
        COLUMNS,
        rows,
        notes(task, seeds, best, tune=tune) + equal_cost(found) + left_out + WHY.get(task, ""),
        quick=quick,
    )


COLUMNS = (
    "method",
    "seeds",
    "hypervolume, mean (least to most)",
    "of the true front",
    "of dpo's",
    "runs",
    "evaluations",
    "device s",
    "thousand tokens",
    "learning rate",
)


WHY = {
    "letters": (
        "\n\nWhy the weak are weak, by the checkpoints of seed 0. DPO on beta 0.1: from step 50"
        " on policies leave the letters (echo 0.84 at step 25, 0.37 at step 50, variety 0.02,"
        " KL 7.4) while margin and ranking accuracy still rise; two of five ends are "
        "dominated by the base, and only the early checkpoints make the front. MODPO with "
        "soft labels obeys mixed weights, but its corners go the same way at its beta of 0.1 "
        "(0.39 and 0.01, KL 9); at 1 none does (KL at most 0.24), and all stay near the base."
        " IPO at 0.1 leaves the letters in two runs of five (KL 8.6 and 8.9), at 1 in none "
        "(KL 0.14 to 0.36): as much hypervolume, from sound policies. IPO-MD pays for the "
        "same: 0.675 over three seeds while nothing held it to the base, 0.618 now. What "
        "holds all methods on pairs back is that they learn from the base's own answers, of "
        "which few are at either end; those that sample as they train go on from their own. "
        "PAMA trains on one objective at a time and drops the negative advantages, half of "
        "what a batch says; its literal form tells no answer from another. MAH-DPO on its "
        "former beta of 0.1 trains its one run five times as long: at step 125 all its heads "
        "echo alike (0.83 to 0.88, KL 1), at step 250 they have left the letters (KL 7 to 10,"
        " top-k mass 0.78; 0.512 in all); on beta 1, now its default, it reached 0.583."
    ),
}
"""Findings about a task's results."""


def results(folder: Path, task: str, arm: str, seeds: int) -> list[dict[str, Any]]:
    """Return what an arm reached with each seed; an arm that failed has `error`."""
    files = [folder / "results" / f"{task}-{seed}-{arm}.json" for seed in range(seeds)]
    return [json.loads(f.read_text(encoding="utf-8")) for f in files if f.exists()]


def row(
    arm: str, told: list[dict[str, Any]], baseline: list[dict[str, Any]], best: float | None
) -> list[str]:
    """Return an arm's row; shares are means of the seeds' own."""
    errors = [t["error"] for t in told if "error" in t]
    if errors or not told:
        why = re.sub(r"\S*/\S+", "…", errors[0]) if errors else "not run"  # no path of a machine
        return [arm, "", why, *[""] * (len(COLUMNS) - 3)]
    volumes = [t["hypervolume"] for t in told]
    beside = [v / b["hypervolume"] for v, b in zip(volumes, baseline, strict=False)]
    failed = sum(t["failed"] for t in told)
    return [
        arm,
        str(len(told)),
        f"{mean(volumes):.3f} ({min(volumes):.3f} to {max(volumes):.3f})",
        f"{mean(volumes) / best:.0%}" if best else "unknown",
        f"{mean(beside):.0%}",
        f"{mean(t['runs'] for t in told):.0f}" + (f", {failed} failed" if failed else ""),
        f"{mean(t['evaluations'] for t in told):.0f}",
        f"{mean(t['device_s'] for t in told):.0f}",
        f"{mean(t['tokens'] for t in told) / 1000:.0f}",
        f"{told[0]['learning_rate']:.0e}",
    ]


def equal_cost(found: dict[str, list[dict[str, Any]]]) -> str:
    """Return in words what GRPO costs beside MODPO at the hypervolume that both reach."""
    pairs = zip(found.get("modpo", []), found.get("grpo, linear", []), strict=False)
    ratios = [cost_ratio(modpo, grpo) for modpo, grpo in pairs if "error" not in {*modpo, *grpo}]
    if not ratios:
        return ""
    tokens, seconds = zip(*ratios, strict=True)
    return (
        " At the lower of both hypervolumes online GRPO (linear) took "
        f"{', '.join(f'{r:.2f}' for r in tokens)} times the tokens of MODPO (a seed each) and "
        f"{', '.join(f'{r:.2f}' for r in seconds)} times the device seconds."
    )


def cost_ratio(base: dict[str, Any], other: dict[str, Any]) -> tuple[float, float]:
    """Return the other's cost over the base's, in tokens and in seconds, at equal hypervolume.

    Both are read off after the first run that reaches the lower of the two final hypervolumes; runs
    of an arm have as many tokens each.
    """
    level = min(base["hypervolume"], other["hypervolume"])
    costs = []
    for told in (base, other):
        reached = next((r, s) for r, s, hv in curve_of(told) if hv >= level - 1e-9)
        costs.append((told["tokens"] * reached[0] / told["runs"], reached[1]))
    (tokens, seconds), (others, longer) = costs
    return others / tokens, longer / seconds


def curve_of(told: dict[str, Any]) -> list[tuple[int, float, float]]:
    """Return (runs finished, device seconds, hypervolume) after each run; the base is no run."""
    return [(runs, s, hv) for runs, (s, hv) in enumerate(told["curve"])][1:]


def notes(task: str, seeds: int, best: float | None, *, tune: bool) -> str:
    """Return what the table's reader must know."""
    told, runs = TRAINING[task], RUNS[task]
    looks = told["steps"] // told["checkpoint_every"]
    words = (
        f"{seeds} {'seed' if seeds == 1 else 'seeds'}. Each method that gives a point for each run "
        f"trains {runs} of them on a lattice of weights, {told['steps']} steps each, evaluated "
        f"{looks} times; a continuum "
        f"trains once for {runs} times the steps and is asked for {runs} preferences each time; "
        "merges mix two trained experts. "
    )
    if len(RATES[task]) > 1:
        words += (
            f"Each arm has the learning rate of {', '.join(map(str, RATES[task]))} that did best "
            f"with another seed{'' if tune else ' under earlier defaults'} (not charged); all else "
            "is the method's default. "
        )
    else:
        words += "Nothing was tuned, so a method that wants another step size looks worse. "
    words += (
        "Device seconds hold training and evaluation and, on a shared machine, noise; tokens do "
        "not."
    )
    return words + (f" The true front's hypervolume is {best:.4f}." if best else "")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--task", choices=sorted(TASKS), default="letters")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--tune", action="store_true", help="choose learning rates anew")
    parser.add_argument("--told", action="store_true", help="table what the folder holds")
    given = parser.parse_args(sys.argv[1:])
    main(
        given.quick,
        task=given.task,
        seeds=given.seeds,
        folder=given.folder,
        tune=given.tune,
        told=given.told,
    )
