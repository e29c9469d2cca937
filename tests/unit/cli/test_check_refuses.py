"""`check` refuses what a run would: status 2, the place, the key and what to do about it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from paretoflow.cli.main import main
from paretoflow.embedded import TINY_BASE_DIR

TWO = "objectives: [{name: a, type: length}, {name: b, type: regex, keywords: [x]}]"
WITH_ONE = "objectives: [{{name: a, type: length}}, {}]"
COLD = "model: {type: embedded, generation: {temperature: 0}}\n"
TEMPERATURE = "model.generation.temperature"
BASE = "model: {{type: pretrained, path: base{}}}"
ROWS = "data: {{type: jsonl, path: rows.jsonl{}}}"
SAMPLED = (
    "bco dpa dpo f_dpo gradient_dpo grao grpo ipo ipo_md lipo ln_dpo mah_dpo mm_dpo modpo pro ric "
    "rloo rpo"
)
GROUPED = "method: {type: grpo, batch_size: 128}\nsearch: {generations: {low: 2, high: 128}}"


def with_one(objective: str) -> str:
    return WITH_ONE.format(objective)


def on(method: str, resources: str) -> str:
    return f"method: {{type: {method}}}\nengine: {{resources: {{{resources}}}}}"


CASES = [
    # every method compares something
    *[(COLD + f"method: {{type: {tag}}}", TEMPERATURE) for tag in SAMPLED.split()],
    ("model: {type: embedded, generation: {temperature: 1.0e-30}}", TEMPERATURE),
    ("search: {temperature: {low: 1.0e-30, high: 1}}", "search.temperature.low"),
    ("method: {type: grpo, batch_size: 10, generations: 4}", "method.batch_size"),
    ("method: {type: ipo_md, generations: 3}", "method.generations"),
    ("method: {type: rloo, generations: 1}", "method.generations"),
    ("method: {type: dpo, gradient_accumulation: 3}", "method.gradient_accumulation"),
    ("method: {type: dpo, batch_size: 0}", "method.batch_size"),
    ("method: {type: dpo, steps: 2, checkpoint_every: 3}", "method.checkpoint_every"),
    ("method: {type: dpo, pairs_per_prompt: 7}", "method.pairs_per_prompt"),
    ("method: {type: ric, steps: 4, rounds: 2, round_steps: 2}", "method.rounds"),
    ("method: {type: ric, serve: {points: 100000000}}", "method.serve.points"),
    ("method: {type: meet, bins: 100000}", "method.bins"),
    ("method: {type: command, argv: []}", "method.argv"),
    ("method: {type: command, argv: [no-such-program]}", "method.argv.0"),
    ("method: {type: command, argv: ['{python}'], env: [NOT_SET]}", "method.env.0"),
    # worker groups
    (on("mah_dpo", "ranks: 2"), "engine.resources.ranks"),
    (on("ipo_md", "zero: 1"), "engine.resources.zero"),
    (on("grpo, aggregation: grad_dynamic", "zero: 1"), "method.aggregation"),
    (on("dpo, batch_size: 9", "ranks: 2"), "method.batch_size"),
    (on("dpo", "cpus_per_rank: 0.00001"), "engine.resources.cpus_per_rank"),
    (on("dpo", "gpus_per_rank: 0.00001"), "engine.resources.gpus_per_rank"),
    (on("dpo", "ranks: 2, gpus_per_rank: 0.5"), "engine.resources.gpus_per_rank"),
    (on("dpo", "labels: {'a b': x}"), "engine.resources.labels.a b"),
    (on("dpo", "labels: {zone: 'in(x,'}"), "engine.resources.labels.zone"),
    (BASE.format("") + "\n" + on("dpo", "ranks: 2"), "model.dtype"),
    ("engine: {worker_groups: 100000000000000000000}", "engine.worker_groups"),
    ("engine: {limits: {silent_s: 1.0e+300}}", "engine.limits.silent_s"),
    ("stop: {cost: 3}", "stop.cost"),
    ("stop: {rungs: {}}\nmethod: {type: grpo}", "stop.rungs"),
    ("stop: {rungs: {}}\nmethod: {type: dpa, steps: 20, checkpoint_every: 5}", "stop.rungs"),
    # proposers
    ("proposer: {type: empty_box}\nmethod: {type: ric}", "proposer.type"),
    ("proposer: {type: psl, redraw: true}", "proposer.redraw"),
    ("proposer: {type: lattice, divisions: 1000000000}", "proposer.divisions"),
    ("proposer: {type: lattice}\nstop: {runs: 1000000000}", "proposer.type"),
    ("proposer: {type: soups, points: 1000000000}", "proposer.points"),
    ("proposer: {type: soups, experts: 12}", "proposer.experts"),
    ("proposer: {type: soups, how: ibcl}\nmethod: {type: grpo}", "proposer.how"),
    (
        COLD
        + "proposer: {type: soups, how: frank_wolfe}\nmethod: {type: bco, standardise: global}",
        "proposer.how",
    ),
    ("proposer: {type: map, samples: 1000000000}", "proposer.samples"),
    ("proposer: {type: dirichlet, alpha: 1.0e+308}", "proposer.alpha"),
    ("proposer: {type: psl, optimism: 1.0e+308}", "proposer.optimism"),
    ("proposer: {type: gp_hvi, initial: 13}", "proposer.initial"),
    ("proposer: {type: portfolio, arms: [ols, ols]}", "proposer.arms.1"),
    ("proposer: {type: portfolio, arms: []}", "proposer.arms"),
    ("proposer: {type: reevaluate, of: reevaluate}", "proposer.of"),
    # settings that launches choose
    (GROUPED, "search.generations"),
    (
        "method: {type: ric}\nsearch: {steps: {choices: [10, 40]}, rounds: {choices: [1, 20]}}",
        "search.rounds",
    ),
    ("search: {learning_rate: {low: -1, high: 1}}", "search.learning_rate.low"),
    ("search: {rank.nosuch: {choices: [2, 4]}}", "search.rank.nosuch"),
    # the base and its adapter
    ("model: {type: embedded, lora: {targets: []}}", "model.lora.targets"),
    ("model: {type: embedded, lora: {targets: '['}}", "model.lora.targets"),
    ("model: {type: embedded, lora: {targets: [nosuch]}}", "model.lora.targets.0"),
    (BASE.format(", lora: {targets: [q_porj]}"), "model.lora.targets.0"),
    ("model: {type: embedded, lora: {ranks: {nosuch: 2}}}", "model.lora.ranks.nosuch"),
    (
        "model: {type: embedded, lora: {targets: [q_proj], ranks: {v_proj: 2}}}",
        "model.lora.ranks.v_proj",
    ),
    ("model: {type: embedded, lora: {rank: 1000000000}}", "model.lora.rank"),
    (
        "model: {type: embedded, generation: {max_new_tokens: 4096}}",
        "model.generation.max_new_tokens",
    ),
    # data
    ("data: {type: pydoc, train: 1}", "data.train"),
    (ROWS.format(", template: '{q'"), "data.template"),
    (ROWS.format(", template: 'all the same'"), "data.template"),
    (ROWS.format(", columns: {messages: m, dialogue: d}"), "data.columns.dialogue"),
    ("data: {type: parquet, path: empty}", "data.path"),
    # objectives
    (with_one("{name: b, type: rouge, range: [1, 0]}"), "objectives.b.range"),
    (with_one("{name: b, type: rouge, range: [-1.0e+308, 1.0e+308]}"), "objectives.b.range"),
    (with_one("{name: b, type: rouge, range: [0, 1], ref: 1}"), "objectives.b.ref"),
    (with_one("{name: b, type: grounding, n: 9}"), "objectives.b.n"),
    (with_one("{name: b, type: regex}"), "objectives.b"),
    (with_one("{name: b, type: regex, keywords: ['  ']}"), "objectives.b.keywords"),
    (
        with_one("{name: b, type: regex, pattern: 'a{99999999999999999999}'}"),
        "objectives.b.pattern",
    ),
    (with_one("{name: b, type: import, path: 'nosuch_module:f'}"), "objectives.b.path"),
    (
        with_one(
            "{name: b, type: import, path: 'f:g', convention: paretoflow, columns: {a: reference}}"
        ),
        "objectives.b.columns",
    ),
    (with_one("{name: b, type: reward_model, path: empty}"), "objectives.b.path"),
    (with_one("{name: b, type: system, measure: latency}"), "objectives.b.type"),
    ("objectives: [{name: a, type: length}]", "objectives"),
    (
        "proposer: {type: ols}\nobjectives: ["
        + ", ".join(f"{{name: o{i}, type: length}}" for i in range(5))
        + "]",
        "proposer.type",
    ),
    # places
    ("storage: ftp://x/y", "storage"),
    ("tracking: [{type: mlflow, uri: 'http://me:pw@host'}]", "tracking.0.uri"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text(json.dumps({"q": "?"}) + "\n")
    Path("empty").mkdir()
    shutil.copytree(TINY_BASE_DIR, "base")
    return tmp_path


def refusals(text: str, capsys) -> list[str]:
    """Return what `check` says of a YAML's faults, a line each, after it has refused it."""
    whole = f"name: x\n{text}\n" + ("" if "objectives:" in text else TWO)
    Path("job.yaml").write_text(whole)
    assert main(["check", "job.yaml"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    lines = shown.err.splitlines()
    told = [line for line in lines if line.startswith("error[")]
    assert sum(line.startswith("  hint: ") for line in lines) == len(told)
    return told


@pytest.mark.parametrize(("text", "key"), CASES)
def test_what_a_run_would_be_refused_for_is_refused(folder, capsys, text, key):
    (told,) = refusals(text, capsys)
    assert re.match(rf"error\[[a-z-]+\]: job\.yaml:\d+:\d+ {re.escape(key)}: \S", told), told


def test_a_tracker_without_its_client_is_refused(folder, capsys, monkeypatch):
    from paretoflow import tracking

    monkeypatch.setitem(tracking.LIBRARIES, "wandb", "no_such_client")
    (told,) = refusals("tracking: [{type: tensorboard}, {type: wandb}]", capsys)
    assert re.match(r"error\[missing-extra\]: job\.yaml:\d+:\d+ tracking\.1\.type: ", told)


def test_a_simulation_names_the_place_of_an_objective_without_a_range(folder, capsys):
    Path("job.yaml").write_text(f"name: x\n{TWO}\n")
    assert main(["simulate", "job.yaml", "--oracle", "llm_like"]) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error[")]
    for line, place in zip(told, ("2:14 objectives.a: ", "2:39 objectives.b: "), strict=True):
        assert line.startswith(f"error[spec-no-range]: job.yaml:{place}")
