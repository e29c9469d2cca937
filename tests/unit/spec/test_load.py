from __future__ import annotations

import pickle

import pytest

from paretoflow.core.errors import SpecError
from paretoflow.core.values import Direction
from paretoflow.spec.load import load_spec, load_spec_text

SWEEP = """\
name: tiny
objectives:
  - {name: a, type: length, range: [0, 60]}
  - {name: b, type: rouge}
"""


def faults(text, *overrides, storage=None):
    with pytest.raises(SpecError) as caught:
        load_spec_text(text, "job.yaml", overrides, storage)
    return caught.value.faults


def test_defaults_are_filled_in_and_values_kept():
    spec = load_spec_text(SWEEP + "stop: {runs: 3}\nseed: 7\n", "job.yaml")
    assert (spec.name, spec.seed, spec.stop.runs, spec.storage) == ("tiny", 7, 3, "sweeps")
    assert (spec.model.type, spec.data.type, spec.method.type) == ("embedded", "pydoc", "dpo")
    assert spec.objectives[0].direction is Direction.MINIMIZE
    assert spec.objectives[0].range == (0.0, 60.0)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SWEEP.encode())
    assert load_spec(path).name == "tiny"


def test_storage_replaces_the_files_own():
    assert load_spec_text(SWEEP + "storage: x\n", "job.yaml", storage="y").storage == "y"
    (fault,) = faults(SWEEP, storage="ftp://bucket")
    assert fault.where == "--storage storage"


def test_a_single_fault_is_the_error_itself():
    with pytest.raises(SpecError) as caught:
        load_spec_text(SWEEP + "seed: -1\n", "job.yaml")
    assert caught.value.where == "job.yaml:5:7 seed"
    assert caught.value.faults == (caught.value,)


def test_many_faults_are_all_in_the_message_and_survive_pickling():
    with pytest.raises(SpecError) as caught:
        load_spec_text(SWEEP + "seed: -1\nstop: {runs: 0}\n", "job.yaml")
    message = str(caught.value)
    assert "2 faults" in message
    assert "job.yaml:5:7 seed" in message
    assert "job.yaml:6:14 stop.runs" in message
    assert [f.where for f in pickle.loads(pickle.dumps(caught.value)).faults] == [
        f.where for f in caught.value.faults
    ]


def test_rules_speak_about_valid_parts_beside_faulty_ones():
    text = SWEEP + "seed: x\nmethod: {type: grpo, batch_size: 6}\nproposer: {type: nope}\n"
    assert [fault.where.split()[1] for fault in faults(text)] == [
        "seed",
        "method.batch_size",
        "proposer.type",
    ]


def test_every_fault_has_all_three_parts():
    text = SWEEP + "  - 3\n  - {type: regex}\nx: 1\nseed: -1\nmethod: dpo\nstop:\nengine: {a: 1}\n"
    found = faults(text)
    assert len(found) == 7
    assert all(fault.what and fault.hint and fault.where.startswith("job.yaml:") for fault in found)


def test_a_fault_below_a_merge_is_located_where_it_is_written():
    text = (
        "name: tiny\nobjectives:\n  - &base {name: a, type: length, ref: x}\n"
        "  - <<: *base\n    name: b\n    ref: 1\n"
    )
    (fault,) = faults(text)
    assert fault.where == "job.yaml:3:40 objectives.a.ref"
    merged = load_spec_text(text.replace("ref: x", "unit: u"), "job.yaml")
    assert [o.unit for o in merged.objectives] == ["u", "u"]
    assert merged.objectives[1].ref == 1.0
