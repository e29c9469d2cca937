from __future__ import annotations

import json

from paretoflow import exporters, methods, proposers
from paretoflow.cli.main import main
from paretoflow.cli.plugins import registry
from paretoflow.ledger import STORES


def test_every_family_is_listed_with_a_summary_each():
    found = registry()
    names = "objectives methods proposers data models exporters stores trackers"
    assert set(found) == set(names.split())
    for entries in found.values():
        assert entries
        for entry in entries:
            assert entry["summary"].endswith("."), entry
            assert "\n" not in entry["summary"]


def test_the_list_is_that_of_the_tables():
    tags = {name: {entry["type"] for entry in entries} for name, entries in registry().items()}
    assert tags["methods"] == set(methods.TAGS)
    assert tags["proposers"] == {*proposers.TAGS, "auto"}
    assert tags["exporters"] == set(exporters.TAGS)
    assert tags["stores"] == set(STORES)


def test_text_and_json_show_the_capabilities_of_methods(capsys):
    assert main(["plugins"]) == 0
    text = capsys.readouterr().out
    assert "offline; learns from pairs; serves a point; several processes (zero)" in text
    assert main(["plugins", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    papers = {m["type"]: m["capabilities"]["paper"] for m in found["methods"]}
    assert papers["dpo"].startswith("Rafailov")
