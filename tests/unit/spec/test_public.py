"""What is handed on holds nothing that is its owner's alone."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from paretoflow.spec.public import PRIVATE, public_spec, public_text
from paretoflow.spec.sweep import SweepSpec

PLAIN = {
    "name": "demo",
    "objectives": [
        {"name": "a", "type": "length"},
        {"name": "b", "type": "regex", "pattern": "^/think|https?://"},
    ],
}


def resolved(**changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = SweepSpec.model_validate({**PLAIN, **changes}).model_dump(mode="json")
    return plain


def test_a_spec_without_secrets_stays_as_it_is() -> None:
    spec = resolved(
        model={"type": "pretrained", "path": "Qwen/Qwen3-0.6B"},
        data={"type": "hub", "path": "org/data", "template": "/no_think {question}\nAnswer:"},
    )
    assert public_spec(spec) == spec


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"type": "jsonl", "path": "LEAK/patients.jsonl"}},
        {"data": {"type": "parquet", "path": "LEAK.parquet"}},
        {"data": {"type": "hub", "path": "/mnt/LEAK"}},
        {"data": {"type": "preferences", "sources": [{"path": "LEAK/pairs.jsonl"}]}},
        {"data": {"type": "preferences", "sources": [{"path": "a/b"}, {"path": "/mnt/LEAK"}]}},
        {"storage": "s3://LEAK-bucket/ann"},
        {"storage": "/home/LEAK/sweeps"},
        {"storage": "$LEAK/sweeps"},
        {"storage": "LEAK/sweeps"},
        {"model": {"type": "pretrained", "path": "/home/LEAK/model"}},
        {"model": {"type": "pretrained", "path": "../LEAK/model"}},
        {"method": {"type": "command", "argv": ["python", "LEAK.py", "--key", "LEAK"]}},
        {"method": {"type": "command", "argv": ["x"], "env": ["LEAK_TOKEN"]}},
        {"engine": {"resources": {"labels": {"kubernetes.io/hostname": "LEAK"}}}},
        {"tracking": [{"type": "mlflow", "uri": "http://LEAK:5000"}]},
        {"tracking": [{"type": "wandb", "entity": "LEAK"}]},
        {
            "objectives": [
                PLAIN["objectives"][0],
                {
                    "name": "judge",
                    "type": "import",
                    "path": "judges:helpful",
                    "kwargs": {"api_key": "LEAK", "deep": {"headers": ["LEAK"]}, "url": "LEAK"},
                },
            ]
        },
        {
            "objectives": [
                PLAIN["objectives"][0],
                {"name": "reward", "type": "reward_model", "path": "rewards/LEAK/model"},
            ]
        },
    ],
    ids=lambda changes: json.dumps(changes)[:40],
)
def test_what_is_private_is_left_out_and_the_rest_is_there(changes: dict[str, Any]) -> None:
    spec = resolved(**changes)
    assert "LEAK" in json.dumps(spec)
    public = public_spec(spec)
    assert "LEAK" not in json.dumps(public)
    assert public.keys() == spec.keys()
    assert public["stop"] == spec["stop"]
    assert "LEAK" not in public_text(f"ValueError in {json.dumps(spec)}", spec)


def test_an_imported_function_keeps_its_name_and_those_of_its_arguments() -> None:
    objective = {"name": "b", "type": "import", "path": "judges:f", "kwargs": {"strict": True}}
    public = public_spec(resolved(objectives=[PLAIN["objectives"][0], objective]))["objectives"][1]
    assert public["path"] == "judges:f"
    assert public["kwargs"] == {"strict": PRIVATE}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("no file /home/ann/x/y.jsonl:3", "no file …/y.jsonl:3"),
        ("see C:\\Users\\ann\\m.bin", "see …/m.bin"),
        ("cannot open ~/models/base", "cannot open …/base"),
        ("GET https://host/x?token=1 failed", f"GET {PRIVATE} failed"),
        ("lost 10.12.0.7 and ip-10-12-0-8.ec2.internal", f"lost {PRIVATE} and {PRIVATE}"),
        ("password=abcdef", "password=…"),
        ("got 3/4 and input/output error", "got 3/4 and input/output error"),
    ],
)
def test_a_message_tells_what_went_wrong_and_not_where_it_is(message: str, expected: str) -> None:
    assert public_text(message, resolved()) == expected


def test_a_message_does_not_name_the_data_nor_this_machine() -> None:
    spec = resolved(data={"type": "jsonl", "path": "private/patients.jsonl"})
    told = public_text(f"patients.jsonl:3 on {socket.gethostname()}", spec)
    assert "patients" not in told
    assert socket.gethostname() not in told or len(socket.gethostname()) < 4
