"""Every malformed sweep YAML ends in status 2 with file, line and hint; no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from paretoflow.cli.main import main

TWO = """
objectives:
  - {name: a, type: length}
  - {name: b, type: rouge}
"""
JSONL = "data: {type: jsonl, path: rows.jsonl, columns: {prompt: q}}"
PLAIN = "\nobjectives:\n  - {name: a, type: length}\n  - {name: b, type: regex, keywords: [x]}\n"

# name, YAML, line of the fault, what the message must say
CASES = [
    ("empty", "", 1, "the file is empty"),
    ("only a comment", "# nothing\n", 1, "the file is empty"),
    ("a list", "- a\n- b\n", 1, "allowed: a mapping"),
    ("a text", "quickstart\n", 1, "allowed: a mapping"),
    ("open bracket", "name: x\nobjectives: [1, 2\n", 3, "not valid YAML"),
    ("open quote", 'name: "x\n' + TWO, 6, "not valid YAML"),
    ("tab", "name: x\nstop:\n\truns: 3\n", 3, "spaces, not tabs"),
    ("bad indentation", "name: x\n  seed: 3\n", 2, "not valid YAML"),
    ("two documents", f"name: x{TWO}---\nname: y\n", 5, "one sweep per file"),
    ("control character", "name: x\nseed: \x01\n", 2, "is not allowed"),
    ("anchor to nowhere", f"name: x\nseed: *seed{TWO}", 2, "undefined alias 'seed'"),
    (
        "anchor misspelt",
        f"name: x\nstop: &stop {{runs: 3}}\nengine: *stpo{TWO}",
        3,
        "did you mean `*stop`?",
    ),
    ("alias of itself", f"name: x{TWO}stop: &s\n  runs: *s\n", 5, "an alias that holds itself"),
    ("python object", f"name: !!python/object:os.system x{TWO}", 1, "is not allowed"),
    ("own tag", f"name: x\nseed: !dice 6{TWO}", 2, "the tag `!dice`"),
    ("tag that does not fit", f"name: x\nseed: !!int six{TWO}", 2, "no whole number"),
    ("merge of no mapping", f"name: x\nstop:\n  <<: 3\n  runs: 3{TWO}", 3, "merges mappings"),
    ("duplicate key", f"name: x\nname: y{TWO}", 2, "given twice; the first is on line 1"),
    ("number as key", f"name: x\n3: y{TWO}", 2, "keys must be texts"),
    ("list as key", f"name: x\n[a, b]: y{TWO}", 2, "keys must be texts"),
    ("name missing", TWO, 2, "the key `name` is missing"),
    ("objectives missing", "name: x\n", 1, "the key `objectives` is missing"),
    (
        "one objective",
        "name: x\nobjectives:\n  - {name: a, type: length}\n",
        3,
        "at least 2 entries",
    ),
    ("objectives no list", "name: x\nobjectives: {a: 1}\n", 2, "allowed: a list"),
    ("objective no mapping", f"name: x{TWO}  - 3\n", 5, "allowed: a mapping with `type`"),
    ("unknown root key", f"name: x\nobjektives: 3{TWO}", 2, "did you mean `objectives`?"),
    ("key of another section", f"name: x\nworkers: 3{TWO}", 2, "known under engine"),
    (
        "key of another type",
        f"name: x\nmethod: {{type: dpo, generations: 4}}{TWO}",
        2,
        "method (type grpo)",
    ),
    (
        "key misspelt",
        f"name: x\nmethod:\n  type: dpo\n  learning-rate: 1.0{TWO}",
        4,
        "mean `learning_rate`?",
    ),
    ("nonsense key", f"name: x\nstop: {{zzzz: 1}}{TWO}", 2, "unknown key `zzzz`"),
    ("name with a space", f"name: my sweep{TWO}", 1, "allowed: a text that matches"),
    ("name with a slash", f"name: ../x{TWO}", 1, "allowed: a text that matches"),
    ("name a number", f"name: 3{TWO}", 1, "put it in quotes"),
    ("name empty", f"name:{TWO}", 1, "got nothing"),
    ("seed negative", f"name: x\nseed: -1{TWO}", 2, "allowed: at least 0"),
    ("seed a boolean", f"name: x\nseed: true{TWO}", 2, "got true; allowed: a whole number"),
    ("seed a fraction", f"name: x\nseed: 1.5{TWO}", 2, "allowed: a whole number"),
    ("number in quotes", f'name: x\nstop: {{runs: "12"}}{TWO}', 2, "without quotes"),
    ("number with a unit", f"name: x\nstop: {{hours: 3h}}{TWO}", 2, "allowed: a number"),
    ("infinite", f"name: x\nstop: {{hours: .inf}}{TWO}", 2, "allowed: a finite number"),
    ("not a number", f"name: x\nengine: {{price: .nan}}{TWO}", 2, "allowed: a finite number"),
    ("no runs", f"name: x\nstop: {{runs: 0}}{TWO}", 2, "allowed: at least 1"),
    (
        "negative beta",
        f"name: x\nmethod:\n  type: dpo\n  beta: -0.1{TWO}",
        4,
        "got -0.1; allowed: more than 0",
    ),
    (
        "negative weight of the penalty",
        f"name: x\nmethod: {{type: grpo, beta: -1}}{TWO}",
        2,
        "allowed: at least 0",
    ),
    (
        "weight above one",
        f"name: x\nmethod: {{type: modpo, min_weight: 2}}{TWO}",
        2,
        "allowed: at most 1",
    ),
    (
        "dropout of one",
        f"name: x\nmodel: {{type: embedded, lora: {{dropout: 1}}}}{TWO}",
        2,
        "less than 1",
    ),
    (
        "targets a number",
        f"name: x\nmodel: {{type: embedded, lora: {{targets: 3}}}}{TWO}",
        2,
        "a text or a list",
    ),
    (
        "targets mixed",
        f"name: x\nmodel: {{type: embedded, lora: {{targets: [q, 3]}}}}{TWO}",
        2,
        "targets.1: got 3",
    ),
    (
        "yes for true",
        f"name: x\nmodel: {{type: pretrained, path: a/b, trust_remote_code: yes}}{TWO}",
        2,
        "true or false",
    ),
    ("unknown method", f"name: x\nmethod: {{type: ppo}}{TWO}", 2, "allowed: dpo, modpo, grpo"),
    ("method misspelt", f"name: x\nmethod: {{type: mopdo}}{TWO}", 2, "did you mean `modpo`?"),
    ("method without braces", f"name: x\nmethod: dpo{TWO}", 2, "write `{type: dpo}`"),
    ("type missing", f"name: x\nmethod: {{beta: 0.1}}{TWO}", 2, "the key `type` is missing"),
    (
        "unknown proposer",
        f"name: x\nproposer: {{type: emptybox}}{TWO}",
        2,
        "did you mean `empty_box`?",
    ),
    (
        "unknown data",
        f"name: x\ndata: {{type: csv}}{TWO}",
        2,
        "allowed: pydoc, jsonl, parquet, hub",
    ),
    (
        "unknown objective",
        f"name: x{TWO}  - {{name: c, type: rogue}}\n",
        5,
        "did you mean `rouge`?",
    ),
    ("section a number", f"name: x\nengine: 3{TWO}", 2, "allowed: a mapping of keys"),
    (
        "direction misspelt",
        f"name: x{TWO}  - {{name: c, type: rouge, direction: maximise}}\n",
        5,
        "`maximize`?",
    ),
    (
        "objective without a name",
        f"name: x{TWO}  - {{type: rouge}}\n",
        5,
        "the key `name` is missing",
    ),
    (
        "objective's name",
        f"name: x{TWO}  - {{name: 2-fast, type: rouge}}\n",
        5,
        "allowed: a text that matches",
    ),
    (
        "duplicate objective",
        f"name: x{TWO}  - {{name: a, type: rouge}}\n",
        5,
        "two objectives are named `a`",
    ),
    (
        "range of three",
        f"name: x{TWO}  - {{name: c, type: rouge, range: [0, 1, 2]}}\n",
        5,
        "at most 2 entries",
    ),
    (
        "range upside down",
        f"name: x{TWO}  - {{name: c, type: rouge, range: [1, 0]}}\n",
        5,
        "`range: [0, 1]`",
    ),
    (
        "range empty",
        f"name: x{TWO}  - {{name: c, type: rouge, range: [1, 1]}}\n",
        5,
        "the lower end first",
    ),
    (
        "reference on the wrong side",
        f"name: x{TWO}  - {{name: c, type: rouge, range: [0, 1], ref: 1}}\n",
        5,
        "allowed: below 1, the best end",
    ),
    (
        "reference on the wrong side, downwards",
        f"name: x{TWO}  - {{name: c, type: length, range: [0, 60], ref: -5}}\n",
        5,
        "`ref: 60`",
    ),
    (
        "regex of nothing",
        f"name: x{TWO}  - {{name: c, type: regex}}\n",
        5,
        "got neither of `pattern` and",
    ),
    (
        "regex of both",
        f"name: x{TWO}  - {{name: c, type: regex, pattern: a, keywords: [b]}}\n",
        5,
        "got both",
    ),
    (
        "regex broken",
        f"name: x{TWO}  - {{name: c, type: regex, pattern: '('}}\n",
        5,
        "does not compile",
    ),
    (
        "no keywords",
        f"name: x{TWO}  - {{name: c, type: regex, keywords: []}}\n",
        5,
        "at least one word",
    ),
    (
        "import path",
        f"name: x{TWO}  - {{name: c, type: import, path: my.module}}\n",
        5,
        "allowed: a text that",
    ),
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
    ("home folder", f"name: x\nmodel: {{type: pretrained, path: ~/model}}{TWO}", 2, "without `~`"),
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
        "opening too long",
        f"name: x\nproposer: {{type: cmorl, initial: 99}}{TWO}",
        2,
        "at most stop.runs",
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


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"q": "?"}\n')
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "line", "says"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_malformed_yaml_is_located_and_explained(folder, capsys, text, line, says):
    Path("job.yaml").write_text(text)
    assert main(["check", "job.yaml"]) == 2
    shown = capsys.readouterr()
    first = shown.err.splitlines()[0]
    assert first.startswith(f"error: job.yaml:{line}:"), shown.err
    assert says in shown.err
    assert "  hint: " in shown.err
    assert shown.out == ""
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("name", ["open bracket", "negative beta", "scheme"])
def test_a_malformed_yaml_ends_the_process_with_status_2(folder, name):
    text, line = next(case[1:3] for case in CASES if case[0] == name)
    Path("job.yaml").write_text(text)
    command = [sys.executable, "-m", "paretoflow.cli.main", "check", "job.yaml"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert f"job.yaml:{line}:" in ended.stderr
    assert "hint:" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_all_faults_are_told_at_once_in_the_order_of_the_file(folder, capsys):
    Path("job.yaml").write_text(
        "name: x y\nmethod: {type: grpo, batch_size: 6}\nstop: {runs: none}\nobjectives:\n"
        "  - {name: a, type: length, range: [0, 9], ref: -1}\n"
        "  - {name: a, type: regex}\n  - {name: c}\n"
    )
    assert main(["check", "job.yaml"]) == 2
    shown = capsys.readouterr().err
    told = [line.split()[1] for line in shown.splitlines() if line.startswith("error:")]
    assert [where.split(":")[1] for where in told] == ["1", "2", "3", "5", "6", "6", "7"]
    assert "7 faults in job.yaml" in shown
    assert "objectives.a.ref" in shown


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda p: None, "there is no such file"),
        (lambda p: p.mkdir(), "got a folder; allowed: a file"),
        (lambda p: p.write_bytes(b"name: x\nunit: \xff\n"), "job.yaml:2:1: the byte 0xff is not"),
        (lambda p: p.write_text("#" * (1 << 21)), "allowed: at most"),
        (lambda p: p.write_text("a: " + "[" * 5000), "nested too deeply"),
        (lambda p: p.write_text(r'name: "\UFFFFFFFF"'), "names no character"),
        (lambda p: p.write_text(r'name: "\uD800"'), "job.yaml:1:"),
        (lambda p: p.write_text("\n".join(["a0: &a0 [x, x, x, x, x, x, x, x]"] + [
            f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]" for i in range(1, 9)
        ])), "more than 100000 values"),
    ],
    ids=["missing", "folder", "not UTF-8", "huge", "deep", "no character", "half", "multiplied"],
)  # fmt: skip
def test_a_file_that_is_no_yaml_is_explained(folder, capsys, prepare, says):
    prepare(Path("job.yaml"))
    assert main(["check", "job.yaml"]) == 2
    shown = capsys.readouterr().err
    assert says in shown
    assert "hint:" in shown
    assert "Traceback" not in shown


def test_a_misspelt_file_name_is_guessed(folder, capsys):
    Path("quickstart.yaml").write_text("name: x")
    assert main(["check", "quickstrat.yaml"]) == 2
    assert "did you mean quickstart.yaml?" in capsys.readouterr().err
