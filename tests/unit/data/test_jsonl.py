from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from paretoflow.data import load_prompts
from paretoflow.data.jsonl import read
from paretoflow.spec.data import ColumnsSpec, JsonlDataSpec
from tests.faults import raises

QA_FEEDBACK = Path(__file__).parents[4] / "shared/data/qa_feedback/train.jsonl.gz"


def texts(path: Path) -> list[str]:
    return [p.text for p in read(JsonlDataSpec(type="jsonl", path=str(path)), None).train]


def test_plain_and_gzipped_files_read_alike_and_blank_lines_are_skipped(tmp_path: Path) -> None:
    content = '\ufeff{"prompt": "naïve 猫"}\n\n{"prompt": "b\\u2028c"}'.encode()
    (tmp_path / "a.jsonl").write_bytes(content)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(content))
    assert texts(tmp_path / "a.jsonl") == texts(tmp_path / "a.jsonl.gz") == ["naïve 猫", "b\u2028c"]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('{"prompt": "x",}', "column 16"),
        ("plain", "column 1"),
        ("[1]", "a list"),
        ('"text"', "a str"),
    ],
)
def test_malformed_line_is_named(tmp_path: Path, line: str, value: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"prompt": "fine"}}\n\n{line}\n')
    with raises("data-unreadable", "a.jsonl:3: ", value):
        texts(path)


def test_missing_file_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with raises("data-not-found", "no.jsonl") as caught:
        texts(Path("no.jsonl"))
    assert str(tmp_path) in caught.value.hint
    with raises("data-not-found", "folder"):
        texts(tmp_path)


@pytest.mark.parametrize(
    "content", [b"not gzip at all", gzip.compress(b'{"prompt": "x"}\n' * 99)[:-9]]
)
def test_broken_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(content)
    with raises("data-unreadable", "a.jsonl.gz"):
        texts(path)


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"prompt": "\xff"}\n')
    with raises("data-unreadable", "a.jsonl:1", "UTF-8"):
        texts(path)


@pytest.mark.skipif(
    not QA_FEEDBACK.exists(), reason="the QA-Feedback copy is not beside the checkout"
)
def test_qa_feedback_gives_short_grounded_prompts() -> None:
    spec = JsonlDataSpec(
        type="jsonl",
        path=str(QA_FEEDBACK),
        columns=ColumnsSpec(reference="gold", passages="passages"),
        template="Document: {passages}\nQuestion: {question}\nAnswer:",
        max_passage_words=60,
        train=200,
        eval=100,
        validation=40,
    )
    sets = load_prompts(spec, seed=0, render_chat=None)
    for prompt in (*sets.train, *sets.eval, *sets.validation):
        assert sum(len(s.split()) for s in prompt.passages) <= 60
        assert len(prompt.passages) >= 1  # row 257 has none: one empty passage
        assert prompt.text.startswith(f"Document: {' '.join(prompt.passages)}\n")
        assert prompt.reference
        assert json.dumps(prompt.extra["responses"])
