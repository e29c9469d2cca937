"""Mutants of sweep YAMLs, for some seconds; `python -m tests.fuzz.yamls` runs longer."""

from __future__ import annotations

from random import Random

from paretoflow.spec.load import load_spec_text
from tests.fuzz.yamls import SEEDS, fault_of, fuzz

SECONDS = 8.0


def test_no_mutant_ends_in_a_traceback_or_a_hang():
    shown: list[str] = []
    counted = fuzz(20261130, SECONDS, shown.append)
    assert counted.pop("mutants") > 10
    assert not counted, "\n".join(shown)


def test_what_is_mutated_is_valid():
    assert all(load_spec_text(text, "seed.yaml", files=False) for text in SEEDS)


def test_an_escaping_error_would_be_found(tmp_path, monkeypatch):
    import tests.fuzz.yamls as fuzzer

    def broken(argv):
        raise KeyError("no such thing")

    monkeypatch.setattr(fuzzer, "main", broken)
    assert "KeyError: 'no such thing'" in fault_of("name: x", tmp_path, Random(0))
    monkeypatch.setattr(fuzzer, "main", lambda argv: 1)
    assert fault_of("name: x", tmp_path, Random(0)).startswith("status 1")
    monkeypatch.setattr(fuzzer, "main", lambda argv: 2)
    assert fault_of("name: x", tmp_path, Random(0)).startswith("no error told")
