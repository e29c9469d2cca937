from __future__ import annotations

import json
import pickle

import pytest

from paretoflow.core.errors import ModelError, SpecError, StorageError
from paretoflow.core.shown import first_line, shown, without_secrets

SECRET = "hunter2SECRETvalue"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("over\rwritten\x08", r"over\x0dwritten\x08"),
        ("\x9b2J\x7f", r"\u009b2J\u007f"),
        ("user\u202ecod.exe\u2066\u2069\u200f", r"user\u202ecod.exe\u2066\u2069\u200f"),
        ("two\u2028lines", r"two\u2028lines"),
        ("caf\udce9", r"caf\udce9"),
        ("a\tb\nc\r\nd é 中 \U0001f600 ±", "a\tb\nc\nd é 中 \U0001f600 ±"),
    ],
)
def test_control_characters_are_shown_as_escapes_and_nothing_else_is(
    text: str, expected: str
) -> None:
    assert shown(text) == expected
    assert shown(shown(text)) == expected


def test_json_stays_json() -> None:
    value = {"a\x1b": "\x9b\u202e\x7f\x00"}
    text = shown(json.dumps(value, ensure_ascii=False, indent=1))
    assert json.loads(text) == value
    assert text.isascii()


@pytest.mark.parametrize(
    "text",
    [
        "s3://AKIA:{}@bucket/sweeps",
        "s3://AKIA:with/slash/{}@bucket",
        "https://user:{}@host:5000/path is refused",
        "https://{}@host/",
        "postgresql://me:p@ss{}@db/x",
        "https://host/file?X-Amz-Signature={}&x=1",
        "gs://bucket/x?token={}",
        "Authorization: Bearer {}",
        "{{'Authorization': 'Basic {}'}}",
        "Authorization: token {}",
        "Bearer {}0",
        "{{'api_key': '{}', 'model': 'judge'}}",
        '{{"apiKey": "{}"}}',
        "OPENAI_API_KEY={} python judge.py",
        "--api-key {} --verbose",
        "--token={}",
        "password: {}",
        "aws_secret_access_key = {}",
        "HF_TOKEN={}",
        "client_secret='two {} words'",
        "hf_{}",
        "sk-{}",
    ],
)
def test_no_secret_is_left(text: str) -> None:
    told = text.format(SECRET)
    assert SECRET not in without_secrets(told)
    for error in (
        StorageError(told, told, told),
        SpecError("2 faults", "x", faults=(SpecError(told, told), SpecError("b"))),
        ModelError("what", hint=told),
    ):
        again = pickle.loads(pickle.dumps(error))
        parts = [repr(error), str(again), repr(again.args), *map(str, getattr(again, "faults", ()))]
        assert SECRET not in " ".join(parts)


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/sweeps/quickstart@3",
        "http://head:8265/jobs and a@b",
        "the tokenizer has no pad_token: set it",
        "pad_token: '<pad>' and eos_token=2, max_new_tokens: 96",
        "got the key 'learning_rate', allowed: lr",
        "a basic understanding of bearer instruments",
        "tokens: 12, secrets are never fields",
        "jobs/x.yaml:14:9 method.beta: got 3?",
        "r0003-9f2c1a-a0-s0040",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "checkpoints.0.token: Extra inputs are not permitted",
        "model.token: Input should be a valid string",
        "tracking.0.api_key: Field required",
    ],
)
def test_what_is_wrong_with_a_field_is_told_whatever_its_name(text: str) -> None:
    assert without_secrets(text) == text
    assert without_secrets(f"token: s3cr3t; {text}") == f"token: …; {text}"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError("\n  no such file\nTraceback"), "no such file"),
        (ValueError(""), "ValueError"),
        (RuntimeError(" \n"), "RuntimeError"),
    ],
)
def test_the_first_line_of_an_error_is_never_empty(error: Exception, line: str) -> None:
    assert first_line(error) == line
