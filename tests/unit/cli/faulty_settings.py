"""Sweep YAMLs whose values do not fit each other, the files or the storage they name."""

from tests.unit.cli.faulty_values import TWO

JSONL = "data: {type: jsonl, path: rows.jsonl, columns: {prompt: q}}"
PLAIN = "\nobjectives:\n  - {name: a, type: length}\n  - {name: b, type: regex, keywords: [x]}\n"

CASES: list[tuple[str, str, int, str]] = [
    (
        "missing data file",
        f"name: x\ndata: {{type: jsonl, path: row.jsonl}}{PLAIN}",
        2,
        "did you mean 'rows.jsonl'?",
    ),
    (
        "missing data folder",
        f"name: x\ndata: {{type: parquet, path: no/x.parquet}}{PLAIN}",
        2,
        "nor a folder 'no'",
    ),
    ("data a folder", f"name: x\ndata: {{type: jsonl, path: .}}{PLAIN}", 2, "allowed: a file"),
    (
        "missing data set",
        f"name: x\ndata: {{type: hub, path: ./saved}}{PLAIN}",
        2,
        "no folder './saved'",
    ),
    (
        "missing model",
        f"name: x\nmodel: {{type: pretrained, path: /no/model}}{TWO}",
        2,
        "no folder '/no/model'",
    ),
    (
        "folder without a model",
        f"name: x\nmodel: {{type: pretrained, path: empty}}{TWO}",
        2,
        "config.json",
    ),
    ("home folder", f"name: x\nmodel: {{type: pretrained, path: ~/model}}{TWO}", 2, "/model'"),
    (
        "missing reward model",
        f"name: x{TWO}  - {{name: c, type: reward_model, path: ./judge}}\n",
        5,
        "no folder './judge'",
    ),
    ("rouge without a reference", f"name: x\n{JSONL}{TWO}", 5, "set data.columns.reference"),
    (
        "grounding without passages",
        f"name: x\n{JSONL}{PLAIN}  - {{name: c, type: grounding}}\n",
        6,
        "set data.columns.passages",
    ),
    (
        "open brace",
        f"name: x\ndata: {{type: jsonl, path: rows.jsonl, template: 'Q: {{q'}}{PLAIN}",
        2,
        "cannot be read",
    ),
    (
        "template without a place",
        f"name: x\ndata: {{type: jsonl, path: rows.jsonl, template: Q}}{PLAIN}",
        2,
        "no place",
    ),
    (
        "odd place",
        f"name: x\ndata: {{type: jsonl, path: rows.jsonl, template: '{{}}'}}{PLAIN}",
        2,
        "the place {}",
    ),
    (
        "passages from nowhere",
        f"name: x\ndata: {{type: jsonl, path: rows.jsonl, template: '{{passages}}'}}{PLAIN}",
        2,
        "no column holds passages",
    ),
    (
        "cut without passages",
        f"name: x\n{JSONL[:-1]}, max_passage_words: 9}}{PLAIN}",
        2,
        "no column holds passages",
    ),
    (
        "template and chat",
        "name: x\ndata: {type: jsonl, path: rows.jsonl, template: '{q}', columns: {messages: m}}"
        + PLAIN,
        2,
        "allowed: one of them",
    ),
    (
        "system cost without a range",
        f"name: x{TWO}  - {{name: c, type: system, measure: latency}}\n",
        5,
        "add `range: [low, high]` in s",
    ),
    (
        "system costs alone",
        "name: x\nobjectives:\n  - {name: a, type: system, measure: latency, range: [0, 9]}\n"
        "  - {name: b, type: system, measure: memory, range: [0, 9]}\n",
        3,
        "no training moves them",
    ),
    ("batch of grpo", f"name: x\nmethod: {{type: grpo, batch_size: 6}}{TWO}", 2, "`batch_size: 8`"),
    (
        "accumulation",
        f"name: x\nmethod: {{type: dpo, gradient_accumulation: 3}}{TWO}",
        2,
        "a divisor of batch_size",
    ),
    (
        "late checkpoint",
        f"name: x\nmethod: {{type: dpo, checkpoint_every: 99}}{TWO}",
        2,
        "at most the run's steps",
    ),
    ("too many pairs", f"name: x\nmethod: {{type: dpo, pairs_per_prompt: 7}}{TWO}", 2, "at most 6"),
    (
        "no randomness",
        f"name: x\nmodel: {{type: embedded, generation: {{temperature: 0}}}}{TWO}",
        2,
        "temperature 0",
    ),
    (
        "no randomness in lists",
        f"name: x\nmethod: {{type: lipo}}\n"
        f"model: {{type: embedded, generation: {{temperature: 0}}}}{TWO}",
        3,
        "temperature 0",
    ),
    (
        "opening too long",
        f"name: x\nproposer: {{type: cmorl, initial: 99}}{TWO}",
        2,
        "at most stop.runs",
    ),
    (
        "no runs left to mix",
        f"name: x\nstop: {{runs: 4}}\nproposer: {{type: map, experts: 4}}{TWO}",
        3,
        "fewer than stop.runs, 4",
    ),
    (
        "no runs left beside one for each objective",
        f"name: x\nstop: {{runs: 2}}\nproposer: {{type: soups}}{TWO}",
        3,
        "got 2 experts",
    ),
    (
        "a rank for an exact mix",
        f"name: x\nproposer: {{type: soups, rank: 4}}{TWO}",
        2,
        "with how: svd",
    ),
    (
        "a posterior of one checkpoint",
        f"name: x\nproposer: {{type: soups, how: ibcl}}\nmethod: {{type: ln_dpo}}{TWO}",
        2,
        "set method.checkpoint_every",
    ),
    (
        "nothing to compare",
        f"name: x\nstop: {{rungs: {{}}}}\nmethod: {{type: ln_dpo}}{TWO}",
        2,
        "set method.checkpoint_every",
    ),
    (
        "a rung at the end",
        "name: x\nmethod: {type: dpo, steps: 40, checkpoint_every: 15}\n"
        f"stop: {{rungs: {{first: 31}}}}{TWO}",
        3,
        "at most 30",
    ),
    (
        "a proposer within itself",
        f"name: x\nproposer: {{type: reevaluate, of: reevaluate}}{TWO}",
        2,
        "got reevaluate within reevaluate",
    ),
    (
        "a key of a proposer within another",
        f"name: x\nproposer: {{type: reevaluate, of: {{type: cmorl, slak: 1}}}}{TWO}",
        2,
        "did you mean `slack`?",
    ),
    (
        "a long opening of a proposer within another",
        f"name: x\nproposer: {{type: reevaluate, of: {{type: cmorl, initial: 99}}}}{TWO}",
        2,
        "at most stop.runs",
    ),
    (
        "an arm that is there twice",
        f"name: x\nproposer:\n  type: portfolio\n  arms: [ols, cmorl, {{type: ols}}]{TWO}",
        4,
        "got ols twice",
    ),
    (
        "an arm that mixes",
        f"name: x\nproposer: {{type: portfolio, arms: [soups, ols]}}{TWO}",
        2,
        "one of lattice, dirichlet, cmorl",
    ),
    (
        "one arm",
        f"name: x\nproposer: {{type: portfolio, arms: [ols]}}{TWO}",
        2,
        "at least 2",
    ),
    (
        "a key of an arm",
        f"name: x\nproposer: {{type: portfolio, arms: [ols, {{type: cmorl, slak: 1}}]}}{TWO}",
        2,
        "did you mean `slack`?",
    ),
    (
        "second looks at what does not change",
        f"name: x\nmethod: {{type: grpo}}\nproposer: {{type: reevaluate}}\n"
        f"model: {{type: embedded, generation: {{temperature: 0}}}}{TWO}",
        4,
        "the same answers again",
    ),
    ("cost of nothing", f"name: x\nstop: {{cost: 5}}{TWO}", 2, "set engine.price"),
    (
        "a GPU and a half",
        f"name: x\nengine: {{resources: {{gpus_per_rank: 1.5}}}}{TWO}",
        2,
        "at most 1",
    ),
    (
        "a GPU for nobody",
        f"name: x\nmodel: {{type: pretrained, path: a/b, device: cuda}}{TWO}",
        2,
        "set engine.resources.gpus_per_rank to 1",
    ),
    ("scheme", f"name: x\nstorage: hdfs://bucket/sweeps{TWO}", 2, "allowed: a folder, file:///"),
    ("bucket", f"name: x\nstorage: s3://B/sweeps{TWO}", 2, "3 to 63 lower-case letters"),
    ("prefix", f"name: x\nstorage: s3://bucket/my sweeps{TWO}", 2, "got the prefix 'my sweeps'"),
    ("relative file URI", f"name: x\nstorage: file://sweeps{TWO}", 2, "an absolute path"),
    ("storage a file", f"name: x\nstorage: rows.jsonl{TWO}", 2, "allowed: a folder"),
]
