"""Sweep YAMLs whose values do not fit each other, the files or the storage they name."""

from tests.unit.cli.faulty_values import TWO

JSONL = "data: {type: jsonl, path: rows.jsonl, columns: {prompt: q}}"
PLAIN = "\nobjectives:\n  - {name: a, type: length}\n  - {name: b, type: regex, keywords: [x]}\n"

CASES: list[tuple[str, str, int, tuple[str, ...]]] = [
    (
        "missing data file",
        f"name: x\ndata: {{type: jsonl, path: row.jsonl}}{PLAIN}",
        2,
        ("spec-missing-file", "data.path", "'row.jsonl'", "'rows.jsonl'"),
    ),
    (
        "missing data folder",
        f"name: x\ndata: {{type: parquet, path: no/x.parquet}}{PLAIN}",
        2,
        ("spec-missing-file", "data.path", "'no/x.parquet'", "'no'"),
    ),
    (
        "data a folder",
        f"name: x\ndata: {{type: jsonl, path: .}}{PLAIN}",
        2,
        ("spec-unusable-file", "data.path", "'.'"),
    ),
    (
        "missing data set",
        f"name: x\ndata: {{type: hub, path: ./saved}}{PLAIN}",
        2,
        ("spec-missing-file", "data.path", "./saved"),
    ),
    (
        "missing model",
        f"name: x\nmodel: {{type: pretrained, path: /no/model}}{TWO}",
        2,
        ("spec-missing-file", "model.path", "/no/model"),
    ),
    (
        "folder without a model",
        f"name: x\nmodel: {{type: pretrained, path: empty}}{TWO}",
        2,
        ("spec-unusable-file", "model.path", "config.json"),
    ),
    (
        "home folder",
        f"name: x\nmodel: {{type: pretrained, path: ~/model}}{TWO}",
        2,
        ("spec-missing-file", "model.path", "/model'"),
    ),
    (
        "missing reward model",
        f"name: x{TWO}  - {{name: c, type: reward_model, path: ./judge}}\n",
        5,
        ("spec-missing-file", "objectives.c.path", "./judge"),
    ),
    (
        "rouge without a reference",
        f"name: x\n{JSONL}{TWO}",
        5,
        ("spec-contradiction", "objectives.b.type", "data.columns.reference"),
    ),
    (
        "grounding without passages",
        f"name: x\n{JSONL}{PLAIN}  - {{name: c, type: grounding}}\n",
        6,
        ("spec-contradiction", "objectives.c.type", "data.columns.passages"),
    ),
    (
        "open brace",
        f"name: x\ndata: {{type: jsonl, path: rows.jsonl, template: 'Q: {{q'}}{PLAIN}",
        2,
        ("spec-not-allowed", "data.template", "'}'"),
    ),
    (
        "template without a place",
        f"name: x\ndata: {{type: jsonl, path: rows.jsonl, template: Q}}{PLAIN}",
        2,
        ("spec-not-allowed", "data.template", "{question}"),
    ),
    (
        "odd place",
        f"name: x\ndata: {{type: jsonl, path: rows.jsonl, template: '{{}}'}}{PLAIN}",
        2,
        ("spec-not-allowed", "data.template", "{}"),
    ),
    (
        "passages from nowhere",
        f"name: x\ndata: {{type: jsonl, path: rows.jsonl, template: '{{passages}}'}}{PLAIN}",
        2,
        ("spec-contradiction", "data.template", "{passages}", "data.columns.passages"),
    ),
    (
        "cut without passages",
        f"name: x\n{JSONL[:-1]}, max_passage_words: 9}}{PLAIN}",
        2,
        ("spec-contradiction", "data.max_passage_words", "data.columns.passages"),
    ),
    (
        "template and chat",
        "name: x\ndata: {type: jsonl, path: rows.jsonl, template: '{q}', columns: {messages: m}}"
        + PLAIN,
        2,
        ("spec-contradiction", "data.columns.messages", "template", "columns.messages"),
    ),
    (
        "system cost without a range",
        f"name: x{TWO}  - {{name: c, type: system, measure: latency}}\n",
        5,
        ("spec-contradiction", "objectives.c.type", "range: [low, high]"),
    ),
    (
        "system costs alone",
        "name: x\nobjectives:\n  - {name: a, type: system, measure: latency, range: [0, 9]}\n"
        "  - {name: b, type: system, measure: memory, range: [0, 9]}\n",
        3,
        ("spec-contradiction", "objectives.a.type", "system"),
    ),
    (
        "batch of grpo",
        f"name: x\nmethod: {{type: grpo, batch_size: 6}}{TWO}",
        2,
        ("spec-contradiction", "method.batch_size", "batch_size: 8"),
    ),
    (
        "accumulation",
        f"name: x\nmethod: {{type: dpo, gradient_accumulation: 3}}{TWO}",
        2,
        ("spec-contradiction", "method.gradient_accumulation", "3", "batch_size, 8"),
    ),
    (
        "late checkpoint",
        f"name: x\nmethod: {{type: dpo, checkpoint_every: 99}}{TWO}",
        2,
        ("spec-contradiction", "method.checkpoint_every", "99", "40"),
    ),
    (
        "too many pairs",
        f"name: x\nmethod: {{type: dpo, pairs_per_prompt: 7}}{TWO}",
        2,
        ("spec-contradiction", "method.pairs_per_prompt", "7", "6"),
    ),
    (
        "no randomness",
        f"name: x\nmodel: {{type: embedded, generation: {{temperature: 0}}}}{TWO}",
        2,
        ("spec-contradiction", "model.generation.temperature", "temperature 0", "pairs"),
    ),
    (
        "no randomness in lists",
        f"name: x\nmethod: {{type: lipo}}\n"
        f"model: {{type: embedded, generation: {{temperature: 0}}}}{TWO}",
        3,
        ("spec-contradiction", "model.generation.temperature", "temperature 0", "pairs"),
    ),
    (
        "opening too long",
        f"name: x\nproposer: {{type: cmorl, initial: 99}}{TWO}",
        2,
        ("spec-contradiction", "proposer.initial", "99", "stop.runs"),
    ),
    (
        "no runs left to mix",
        f"name: x\nstop: {{runs: 4}}\nproposer: {{type: map, experts: 4}}{TWO}",
        3,
        ("spec-contradiction", "proposer.experts", "4 experts", "stop.runs, 4"),
    ),
    (
        "no runs left beside one for each objective",
        f"name: x\nstop: {{runs: 2}}\nproposer: {{type: soups}}{TWO}",
        3,
        ("spec-contradiction", "proposer.type", "2 experts", "stop.runs, 2"),
    ),
    (
        "a rank for an exact mix",
        f"name: x\nproposer: {{type: soups, rank: 4}}{TWO}",
        2,
        ("spec-contradiction", "proposer.rank", "rank 4", "how: svd"),
    ),
    (
        "a posterior of one checkpoint",
        f"name: x\nproposer: {{type: soups, how: ibcl}}\nmethod: {{type: ln_dpo}}{TWO}",
        2,
        ("spec-contradiction", "proposer.how", "method.checkpoint_every"),
    ),
    (
        "nothing to compare",
        f"name: x\nstop: {{rungs: {{}}}}\nmethod: {{type: ln_dpo}}{TWO}",
        2,
        ("spec-contradiction", "stop.rungs", "method.checkpoint_every"),
    ),
    (
        "a rung at the end",
        "name: x\nmethod: {type: dpo, steps: 40, checkpoint_every: 15}\n"
        f"stop: {{rungs: {{first: 31}}}}{TWO}",
        3,
        ("spec-contradiction", "stop.rungs.first", "31", "30"),
    ),
    (
        "a proposer within itself",
        f"name: x\nproposer: {{type: reevaluate, of: reevaluate}}{TWO}",
        2,
        ("spec-contradiction", "proposer.of", "reevaluate"),
    ),
    (
        "a key of a proposer within another",
        f"name: x\nproposer: {{type: reevaluate, of: {{type: cmorl, slak: 1}}}}{TWO}",
        2,
        ("spec-unknown-key", "proposer.of.slak", "slack"),
    ),
    (
        "a long opening of a proposer within another",
        f"name: x\nproposer: {{type: reevaluate, of: {{type: cmorl, initial: 99}}}}{TWO}",
        2,
        ("spec-contradiction", "proposer.of.initial", "99", "stop.runs"),
    ),
    (
        "an arm that is there twice",
        f"name: x\nproposer:\n  type: portfolio\n  arms: [ols, cmorl, {{type: ols}}]{TWO}",
        4,
        ("spec-contradiction", "proposer.arms.2", "ols"),
    ),
    (
        "an arm that mixes",
        f"name: x\nproposer: {{type: portfolio, arms: [soups, ols]}}{TWO}",
        2,
        ("spec-wrong-type", "proposer.arms.0", "soups", "lattice, dirichlet, cmorl"),
    ),
    (
        "one arm",
        f"name: x\nproposer: {{type: portfolio, arms: [ols]}}{TWO}",
        2,
        ("spec-not-allowed", "proposer.arms", "list of 1", "2"),
    ),
    (
        "a key of an arm",
        f"name: x\nproposer: {{type: portfolio, arms: [ols, {{type: cmorl, slak: 1}}]}}{TWO}",
        2,
        ("spec-unknown-key", "proposer.arms.1.slak", "slack"),
    ),
    (
        "second looks at what does not change",
        f"name: x\nmethod: {{type: grpo}}\nproposer: {{type: reevaluate}}\n"
        f"model: {{type: embedded, generation: {{temperature: 0}}}}{TWO}",
        4,
        ("spec-contradiction", "model.generation.temperature", "again"),
    ),
    (
        "cost of nothing",
        f"name: x\nstop: {{cost: 5}}{TWO}",
        2,
        ("spec-contradiction", "stop.cost", "engine.price"),
    ),
    (
        "a GPU and a half",
        f"name: x\nengine: {{resources: {{gpus_per_rank: 1.5}}}}{TWO}",
        2,
        ("spec-not-allowed", "engine.resources.gpus_per_rank", "1.5", "1"),
    ),
    (
        "a GPU for nobody",
        f"name: x\nmodel: {{type: pretrained, path: a/b, device: cuda}}{TWO}",
        2,
        ("spec-contradiction", "model.device", "engine.resources.gpus_per_rank", "1"),
    ),
    (
        "scheme",
        f"name: x\nstorage: hdfs://bucket/sweeps{TWO}",
        2,
        ("spec-not-allowed", "storage", "hdfs://bucket/sweeps", "s3://bucket", "gs://bucket"),
    ),
    (
        "bucket",
        f"name: x\nstorage: s3://B/sweeps{TWO}",
        2,
        ("spec-not-allowed", "storage", "'B'", "63"),
    ),
    (
        "prefix",
        f"name: x\nstorage: s3://bucket/my sweeps{TWO}",
        2,
        ("spec-not-allowed", "storage", "my sweeps"),
    ),
    (
        "relative file URI",
        f"name: x\nstorage: file://sweeps{TWO}",
        2,
        ("spec-not-allowed", "storage", "file://sweeps"),
    ),
    (
        "storage a file",
        f"name: x\nstorage: rows.jsonl{TWO}",
        2,
        ("spec-not-allowed", "storage", "rows.jsonl"),
    ),
]
