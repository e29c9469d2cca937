from __future__ import annotations

import json

from paretoflow.cli.main import main
from paretoflow.cli.schema import sweep_schema
from paretoflow.spec.sweep import SweepSpec
from tests.faults import only_printed


def test_the_schema_names_every_key_with_its_description():
    schema = sweep_schema()
    assert set(schema["properties"]) == set(SweepSpec.model_fields)
    assert schema["required"] == ["name", "objectives"]
    assert schema["additionalProperties"] is False
    steps = schema["$defs"]["DpoMethodSpec"]["properties"]["steps"]
    assert steps == {
        "default": 40,
        "description": "Optimiser steps of a run.",
        "minimum": 1,
        "title": "Steps",
        "type": "integer",
    }


def test_the_command_prints_it_or_writes_it(capsys, tmp_path):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == sweep_schema()
    path = tmp_path / "sweep.json"
    assert main(["schema", "-o", str(path)]) == 0
    assert capsys.readouterr().out == f"wrote {path}\n"
    assert json.loads(path.read_text()) == sweep_schema()


def test_a_path_that_cannot_be_written_is_told(capsys, tmp_path):
    assert main(["schema", "-o", str(tmp_path / "no" / "x.json")]) == 2
    only_printed(capsys.readouterr().err, "storage-refused", str(tmp_path / "no" / "x.json"))
