"""`check` opens what is local, refuses what a run would refuse, and loads neither torch nor Ray."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from paretoflow.cli.main import main
from paretoflow.embedded import TINY_BASE_DIR
from tests.faults import only_printed, printed
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.simulated_sweeps import simulated_sweep

ROWS = [{"q": f"Question {i}, which is about wool?", "a": f"r{i}"} for i in range(30)]
JOB = """\
name: job
data:
  type: TYPE
  path: PATH
  columns: {prompt: q, reference: a}
  MORE
  train: 12
  eval: 8
  validation: 4
objectives:
  - {name: a, type: rouge, range: [0, 1], ref: 0}
  - {name: b, type: length, range: [0, 60], ref: 60}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(rows: list[Any], kind: str = "jsonl") -> str:
    """Write rows in a format; return the path to name."""
    if kind == "jsonl":
        Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
        return "rows.jsonl"
    if kind == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), "rows.parquet")
        return "rows.parquet"
    datasets = pytest.importorskip("datasets")
    datasets.DatasetDict(train=datasets.Dataset.from_list(rows)).save_to_disk("saved")
    return "saved"


def checked(rows: list[Any], capsys: Any, kind: str = "jsonl", more: str = "") -> tuple[int, str]:
    """Run `check` on rows of data; return its status and all that it printed."""
    job = JOB.replace("TYPE", kind).replace("PATH", write(rows, kind))
    job = job.replace("MORE", more or "candidates: 4")
    Path("job.yaml").write_text(job)
    status = main(["check", "job.yaml"])
    shown = capsys.readouterr()
    return status, shown.out + shown.err


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "hub"])
def test_data_that_fit_are_valid(kind: str, capsys: Any) -> None:
    status, shown = checked(ROWS, capsys, kind)
    assert status == 0
    assert not printed(shown)
    assert "data" in shown


PAIRS = """\
name: job
data:
  type: preferences
  sources:
    - {path: helpful.jsonl, objective: helpful}
    - {path: harmless.jsonl, columns: {objective: about}}
  MORE
  train: 12
  eval: 8
  validation: 4
objectives:
  - {name: helpful, type: length}
  - {name: harmless, type: length, direction: minimize}
"""


def compared(capsys: Any, more: str = "sampled: 0", **changes: Any) -> tuple[int, str]:
    """Run `check` on pairs, the fourth harmless one of which is changed."""
    rows = [{"prompt": f"Is {i} odd?", "chosen": f"Y{i}", "rejected": "N"} for i in range(30)]
    harmless = [{**row, "about": "harmless"} for row in rows]
    harmless[3] |= changes
    for name, told in (("helpful", rows), ("harmless", harmless)):
        Path(f"{name}.jsonl").write_text("\n".join(map(json.dumps, told)))
    Path("job.yaml").write_text(PAIRS.replace("MORE", more))
    status = main(["check", "job.yaml"])
    shown = capsys.readouterr()
    return status, shown.out + shown.err


def test_pairs_that_fit_are_counted_by_objective(capsys: Any) -> None:
    status, shown = compared(capsys)
    assert (status, printed(shown)) == (0, [])
    assert "runs learn from 12 pairs: harmless 12, helpful 12; 12 have labels of several" in shown
    assert "16 answers sampled and scored" in shown


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"rejected": "Y3"}, "data-pair", "chosen and rejected are the same answer"),
        ({"chosen": ""}, "data-empty", "'chosen' holds an empty answer"),
        ({"about": "harmful"}, "data-objective", "names the objective 'harmful'"),
    ],
)
def test_a_pair_that_says_nothing_is_told_with_its_file_and_line(
    changes: dict[str, str], code: str, words: str, capsys: Any
) -> None:
    status, shown = compared(capsys, **changes)
    (fault,) = printed(shown)
    assert (status, fault.code) == (2, code)
    assert (
        f"harmless.jsonl:4: {words}" in shown
        or f"harmless.jsonl:4: column 'about' {words}" in shown
    )
    assert "data.sources.1.path" in shown
    assert compared(capsys, more="on_bad_row: skip", **changes)[0] == 0


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "hub"])
@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (ROWS[:20], ("data-too-few", "20", "train 12 + eval 8 + validation 4", "24")),
        (
            [{"question": r["q"], "a": "x"} for r in ROWS],
            ("data-column", "'q'", "'question', 'a'"),
        ),
        (
            [{**r, "a": None if i == 2 else "x"} for i, r in enumerate(ROWS[:24])],
            ("data-reference", "data.on_bad_row: skip"),
        ),
        ([*ROWS, {"q": " ", "a": "x"}], ("data-empty",)),
    ],
)
def test_data_that_a_run_would_refuse_are_refused(
    kind: str, rows: list[Any], fault: tuple[str, ...], capsys: Any
) -> None:
    status, shown = checked(rows, capsys, kind)
    assert status == 2
    told = only_printed(shown, *fault)
    assert told.line.startswith("job.yaml:4:9 data.path: ")


def test_what_is_left_out_and_what_is_near_is_told(capsys: Any) -> None:
    rows = [*ROWS, {"q": None}, *({"q": r["q"] + " Please!", "a": "x"} for r in ROWS)]
    status, shown = checked(rows, capsys, more="on_bad_row: skip")
    assert status == 0
    assert "data: 1 of 61 rows" in shown
    assert "rows.jsonl:31: " in shown
    assert re.search(r"data: .*\d+ of 8 eval prompts", shown)
    assert main(["check", "job.yaml", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["looked_at"]["data"]
    assert (found["rows"], found["left_out"]) == (61, 1)


def test_a_long_prompt_is_counted_by_the_models_own_tokenizer(capsys: Any) -> None:
    rows = [{**ROWS[0], "q": "word " * 4000}, *ROWS[1:24]]
    status, shown = checked(rows, capsys)
    assert status == 2
    only_printed(shown, "data-too-long", "rows.jsonl:1: ", "model.generation.max_new_tokens, 96")
    status, shown = checked(ROWS, capsys, more="max_prompt_tokens: 3")
    assert status == 2
    only_printed(shown, "data-too-long", "3, data.max_prompt_tokens")


def test_messages_need_a_template(capsys: Any, tmp_path: Path) -> None:
    shutil.copytree(TINY_BASE_DIR, "base")
    Path("m.jsonl").write_text(
        "\n".join(json.dumps({"m": [{"role": "user", "content": r["q"]}]}) for r in ROWS)
    )
    Path("job.yaml").write_text(
        "name: job\nmodel: {type: pretrained, path: base}\n"
        "data: {type: jsonl, path: m.jsonl, columns: {messages: m}, train: 9, eval: 8}\n"
        "objectives:\n  - {name: a, type: length}\n  - {name: b, type: regex, pattern: x}\n"
    )
    small = ["--set", "data.validation=4"]
    assert main(["check", "job.yaml", *small]) == 0
    assert "chat template" in capsys.readouterr().out
    Path("base/chat_template.jinja").unlink()
    assert main(["check", "job.yaml", *small]) == 2
    only_printed(capsys.readouterr().err, "data-chat-template", "m.jsonl:1: ")


def write_job(text: str) -> None:
    objectives = "objectives:\n  - {name: a, type: length}\n  - {name: b, type: length}\n"
    Path("job.yaml").write_text(f"name: job\n{text}\n{'' if 'objectives' in text else objectives}")


def faulty(capsys: Any, text: str) -> str:
    write_job(text)
    assert main(["check", "job.yaml"]) == 2
    return str(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("argv", "fault"),
    [
        (
            "[no-such-program, x]",
            ("spec-missing-file", "job.yaml:2:32 method.argv.0: ", "'no-such-program'"),
        ),
        ("[./plain.sh]", ("spec-unusable-file", "'./plain.sh'", "chmod +x ./plain.sh")),
        (
            "['{python}', jobs/train.py, '{request}']",
            ("spec-missing-file", "method.argv.1: ", "'jobs/train.py'"),
        ),
    ],
)
def test_a_program_that_cannot_start_is_told(
    argv: str, fault: tuple[str, ...], capsys: Any
) -> None:
    Path("plain.sh").write_text("#!/bin/sh\n")
    only_printed(faulty(capsys, f"method: {{type: command, argv: {argv}}}"), *fault)


def test_a_variable_that_the_program_lacks_is_told(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.delenv("TOKEN_OF_MINE", raising=False)
    text = "method: {type: command, argv: [sh], env: [PATH, TOKEN_OF_MINE]}"
    only_printed(faulty(capsys, text), "spec-variable", "method.env.1: ", "TOKEN_OF_MINE")


def test_several_faults_are_told_at_once(capsys: Any) -> None:
    Path("mine.py").write_text("def score(prompts): ...\n")
    Path("base").mkdir()
    Path("base/config.json").write_text('{"model_type": "t5", "is_encoder_decoder": true}')
    told = faulty(
        capsys,
        "model: {type: pretrained, path: base}\nobjectives:\n"
        "  - {name: a, type: import, path: 'mine:score', range: [0, 1]}\n"
        "  - {name: b, type: import, path: 'mine:scores', range: [0, 1]}\n",
    )
    assert "5 faults" in told
    expected = {
        "model-unsupported": ("job.yaml:2:33 model.path: base ", "t5"),
        "model-incomplete": ("model.path: base ", ".safetensors"),
        "model-tokenizer": ("model.path: base ", "tokenizer.json"),
        "spec-unusable-file": ("objectives.a.path: mine:score ", " 1 arg"),
        "spec-missing-file": ("objectives.b.path: ", "'scores'", "'score'"),
    }
    faults = {fault.code: fault for fault in printed(told)}
    assert faults.keys() == expected.keys()
    for code, values in expected.items():
        assert [value for value in values if value not in faults[code]] == []


@pytest.mark.parametrize("storage", ["file/below", "file"])
def test_a_storage_that_is_no_folder_is_told(storage: str, capsys: Any) -> None:
    Path("file").write_text("")
    code = "spec-not-allowed" if storage == "file" else "spec-unusable-file"
    only_printed(faulty(capsys, f"storage: {storage}"), code, "job.yaml:2:10 storage: ")


def test_a_storage_that_cannot_be_written_is_told(capsys: Any, monkeypatch: Any) -> None:
    import os

    own = os.access
    monkeypatch.setattr(os, "access", lambda p, m: m != os.W_OK | os.X_OK and own(p, m))
    only_printed(faulty(capsys, "storage: new"), "spec-unusable-file", "storage: ")


def test_another_sweep_of_the_name_is_told_before_it_is_run(capsys: Any) -> None:
    simulated_sweep(circle_spec(stop={"runs": 3}, storage="sweeps"), CircleOracle())
    stored = json.loads(Path("sweeps/circle/spec.json").read_text())
    Path("job.yaml").write_text(json.dumps({**stored, "storage": "sweeps"}))
    assert main(["check", "job.yaml"]) == 0
    assert main(["check", "job.yaml", "--set", "seed=99"]) == 2
    only_printed(capsys.readouterr().err, "spec-fixed", "'circle'", "seed")


QUICK = """
import sys, time
from paretoflow.cli.main import main
assert main(["check", "job.yaml"]) == 0
heavy = {"torch", "ray", "transformers", "trl", "datasets", "scorer"} & set(sys.modules)
assert not heavy, heavy
"""


def test_neither_torch_nor_ray_nor_the_users_code_is_loaded_here(capsys: Any) -> None:
    Path("scorer.py").write_text("import torch\ndef score(prompts, completions): return [0, 1]\n")
    checked(ROWS, capsys)
    extra = "  - {name: c, type: import, path: 'scorer:score', range: [0, 1], ref: 0}\n"
    Path("job.yaml").write_text(Path("job.yaml").read_text() + extra)
    subprocess.run([sys.executable, "-c", QUICK], check=True, timeout=60)


def test_a_cluster_is_asked_for_room_when_it_is_named(capsys: Any) -> None:
    Path("job.yaml").write_text(
        "name: job\nobjectives:\n  - {name: a, type: length}\n  - {name: b, type: length}\n"
    )
    started = time.monotonic()
    assert main(["check", "job.yaml", "--address", "http://localhost:1"]) == 2
    assert "localhost:1" in capsys.readouterr().err
    assert time.monotonic() - started < 20


@pytest.mark.few(1)
@pytest.mark.parametrize("size", ["data.eval", "data.train"])
def test_more_prompts_than_the_embedded_task_has_are_told(size: str, capsys: Any) -> None:
    write_job("")
    assert main(["check", "job.yaml", "--set", f"{size}=100000"]) == 2
    told = only_printed(capsys.readouterr().err, "data-too-few", "100000", size)
    assert re.search(rf"{size}\b.* \d+$", told.hint)


@pytest.mark.parametrize("content", ["", "[]", "{}", "{", '{"model": {"type": "BPE"}}'])
def test_a_tokenizer_that_cannot_be_read_is_told(content: str, capsys: Any) -> None:
    shutil.copytree(TINY_BASE_DIR, "base")
    Path("base/tokenizer.json").write_text(content)
    job = JOB.replace("TYPE", "jsonl").replace("PATH", write(ROWS)).replace("MORE", "candidates: 4")
    Path("job.yaml").write_text(job + "model: {type: pretrained, path: base}\n")
    assert main(["check", "job.yaml"]) == 2
    only_printed(capsys.readouterr().err, "model-tokenizer", "model.path: ", "tokenizer.json")


FUNCTIONS = """
import functools
def twice(function):
    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapped
@twice
def by_name(completions, **columns): return [float(len(c)) for c in completions]
@twice
def by_place(prompts, completions): return [float(len(c)) for c in completions]
@twice
def broken(prompts, completions): return [0.0]
"""


@pytest.mark.parametrize("name", ["by_name", "by_place"])
def test_a_function_that_was_called_is_no_doubt(name: str) -> None:
    """The decorator hides its arguments from a look at the source."""
    from paretoflow.cli.local import load_and_look

    Path("own_scores.py").write_text(FUNCTIONS)
    file = Path("job.yaml")
    own = f"type: import, path: 'own_scores:{name}', range: [0, 60], ref: 0"
    text = JOB.replace("TYPE", "jsonl").replace("PATH", write(ROWS)).replace("MORE", "")
    file.write_text(text.replace("type: length, range: [0, 60], ref: 60", own))
    _, found = load_and_look(file, [], None)
    assert not [note for note in found.notes if "own_scores" in note]
    file.write_text(file.read_text().replace(name, "broken"))
    assert main(["check", str(file)]) == 2
