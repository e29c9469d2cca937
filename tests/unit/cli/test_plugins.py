from __future__ import annotations

import json

import pytest

from paretoflow import exporters, methods, proposers
from paretoflow.cli import plugins as verb
from paretoflow.cli.main import main
from paretoflow.cli.plugins import registry
from paretoflow.ledger import STORES
from paretoflow.spec.capabilities import CAPABILITIES
from paretoflow.spec.methods import GradientDpoMethodSpec, GrpoMethodSpec
from paretoflow.spec.shape import models_of
from tests.faults import only_printed


def test_every_family_is_listed_with_a_summary_each():
    found = registry()
    names = (
        "objectives methods aggregation combiner proposers data models exporters stores trackers"
    )
    assert set(found) >= set(names.split())
    for entries in found.values():
        assert entries
        for entry in entries:
            assert entry["summary"].endswith("."), entry
            assert "\n" not in entry["summary"]


def test_the_list_is_that_of_the_tables():
    tags = {name: [entry["type"] for entry in entries] for name, entries in registry().items()}
    assert tags["methods"] == sorted(methods.TAGS)
    assert set(tags["proposers"]) == {*proposers.TAGS, "auto"}
    assert set(tags["exporters"]) == set(exporters.TAGS)
    assert set(tags["stores"]) == set(STORES)


def test_what_methods_are_put_together_from_is_found_in_their_specs():
    found = registry()
    for key, model in (("aggregation", GrpoMethodSpec), ("combiner", GradientDpoMethodSpec)):
        tags = {entry["type"] for entry in found[key]}
        assert tags == set(models_of(model.model_fields[key].annotation))


def test_text_and_json_show_the_capabilities_of_methods(capsys):
    assert main(["plugins"]) == 0
    text = capsys.readouterr().out
    assert "learns from pairs; serves a point; on one rank, DDP, ZeRO" in text
    assert main(["plugins", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    by_type = {entry["type"]: entry for entry in found["methods"]}
    assert by_type["dpo"]["capabilities"]["paper"].startswith("Rafailov")
    assert by_type["command"]["capabilities"]["needs"] == ["program"]


@pytest.mark.parametrize("width", [80, 120])
def test_methods_fit_into_a_terminal_with_all_that_is_declared(width, capsys, monkeypatch):
    from rich.console import Console

    monkeypatch.setattr(verb, "plain_console", lambda: Console(highlight=False, width=width))
    assert main(["plugins", "methods"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    for tag, can in CAPABILITIES.items():
        assert f" {tag} " in words
        assert can.paper.split()[0] in words
        for told in (can.kind, can.serves, *can.needs, *can.launches):
            assert told in words
    assert "proposers" not in text


def test_one_plug_in_is_shown_with_its_knobs(capsys):
    assert main(["plugins", "command"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "needs a program" in text
    assert "runs on one rank (a worker group starts one program" in text
    assert text.index("argv required") < text.index("batch_size 8")
    assert main(["plugins", "lattice", "--format", "json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["family"] == "proposers"
    (knob,) = entry["knobs"]
    assert (knob["key"], knob["required"], knob["default"]) == ("divisions", False, None)
    assert main(["plugins", "csv"]) == 0
    assert "of exporters" in capsys.readouterr().out


def test_a_name_of_several_families_is_shown_for_each(capsys):
    assert main(["plugins", "linear"]) == 0
    text = capsys.readouterr().out
    assert "linear, of aggregation" in text
    assert "linear, of combiner" in text


def test_an_unknown_name_is_guessed(capsys):
    assert main(["plugins", "modppo"]) == 2
    only_printed(capsys.readouterr().err, "plugin-unknown", "'modppo'", "'modpo'")
