"""What certain pages promise: a short README, numbers from their files, rows with tests."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import paretoflow
from docs.generated import pages
from paretoflow.cli.local.shapes import shape_of
from paretoflow.lm.footprint import Load, footprint
from paretoflow.methods import TAGS as METHODS
from paretoflow.proposers import TAGS as PROPOSERS
from paretoflow.spec.models import LoraSpec
from paretoflow.spec.rewards import RewardSpec
from paretoflow.spec.sweep import SweepSpec
from tests.docs.pages import ROOT, generated, readme, written


def test_the_readme_is_short() -> None:
    assert len(readme().text.encode()) <= 10 * 1024


def test_the_readme_shows_a_sweep_of_twelve_lines_with_a_model_from_the_hub() -> None:
    (block,) = [block for block in readme().blocks if block.language == "yaml"]
    shown = yaml.safe_load(block.text)
    assert len(block.text.splitlines()) == 12
    assert shown["model"]["type"] == "pretrained"
    assert "/" in shown["model"]["path"]


def _bullets() -> list[tuple[str, str]]:
    """Return each bullet of the README that cites a results file, and that file's text."""
    found = []
    for line in readme().prose.splitlines():
        cited = re.search(r"\]\((tests/benchmarks/results/\w+\.md)\)", line)
        if line.startswith("- ") and cited:
            found.append((line, (ROOT / cited[1]).read_text(encoding="utf-8")))
    return found


def test_numbers_of_the_readme_stand_in_the_files_that_it_cites() -> None:
    bullets = _bullets()
    assert len(bullets) == 5
    for line, results in bullets:
        numbers = re.findall(r"\*\*([\d.%]+(?: to \d+)?)\*\*", line)
        assert numbers, line
        assert [number for number in numbers if number not in results] == []


def test_the_number_of_methods_is_told() -> None:
    assert f"{len(METHODS)} methods" in readme().text


def test_output_of_one_sweep_is_the_same_on_every_page() -> None:
    """README, concepts and the first tutorial show the quickstart: a line of it has one form."""
    line = re.compile(r"^hypervolume [\d.]+ reported, .* corrected .* coverage 0\.5, .*$", re.M)
    shown = {text for page in written().values() for text in line.findall(page.text)}
    assert len(shown) == 1


def test_every_failure_names_its_tests() -> None:
    page = written()["docs/failures.md"].text
    rows = [line for line in page.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 40
    for row in rows:
        what, happens, tests = (cell.strip() for cell in row.strip("|").split(" | "))
        assert what
        assert happens
        named = re.findall(r"`(tests/[\w./]+)`", tests)
        assert named, row
        assert all((ROOT / name).exists() for name in named), row


@pytest.mark.parametrize(
    ("page", "tags"), [("docs/methods.md", METHODS), ("docs/proposers.md", PROPOSERS)]
)
def test_every_plug_in_has_a_row(page: str, tags: dict[str, str]) -> None:
    rows = "\n".join(x for x in written()[page].text.splitlines() if x.startswith("| `"))
    # merging is no method of its own: a proposer's launches ask for it
    missing = [tag for tag in tags if f"`{tag}`" not in rows]
    assert missing == []


def test_rows_of_methods_stand_in_their_results() -> None:
    """A row of a table on the page has the figures of the same row in the results file."""
    page = written()["docs/methods.md"].text
    results = {}
    for name in ("methods_letters", "methods_embedded"):
        path = ROOT / "tests" / "benchmarks" / "results" / f"{name}.md"
        for row in path.read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in row.strip("|").split(" | ")]
            results.setdefault(cells[0], []).append(row)
    checked = 0
    for row in page.splitlines():
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        if len(cells) >= 5 and re.match(r"\d", cells[1]):
            assert any(all(cell in known for cell in cells) for known in results[cells[0]]), row
            checked += 1
    assert checked >= 25


def test_the_yaml_reference_has_every_key() -> None:
    text = "\n".join(page.text for page in generated().values())
    schemas = [spec.model_json_schema() for spec in (SweepSpec, RewardSpec)]
    inner = [d for schema in schemas for d in schema["$defs"].values() if "properties" in d]
    for definition in [*schemas, *inner]:
        for key in definition["properties"]:
            assert f"| `{key}` |" in text or f"[`{key}`]" in text, key
    assert {Path(name).suffix for name in pages()} == {".md"}


def test_the_sizes_follow_from_their_formula(tmp_path: Path) -> None:
    keys = ["num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads"]
    keys += ["head_dim", "intermediate_size", "vocab_size", "tie_word_embeddings"]
    large = Load(width=2, sequences=8, tokens=512, answer=128, sampled=64)
    loads = (large, replace(large, sequences=2), replace(large, recomputed=True))
    checked = 0
    for row in written()["docs/sizing.md"].text.splitlines():
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        if len(cells) == 10 and cells[2][:1].isdigit():
            config = dict(zip(keys, map(int, cells[1].split(",")), strict=True))
            shape = shape_of(tmp_path, config, LoraSpec())
            assert shape is not None
            eight, two, again = (footprint(shape, load) for load in loads)
            sizes = [eight.weights, eight.adapter, eight.training, two.training, again.training]
            sizes += [eight.sampling, eight.total, two.total]
            assert cells[2:] == [f"{size / 1e9:.1f}" for size in sizes], row
            checked += 1
    assert checked == 7


def test_nothing_was_left_to_fill_in() -> None:
    for page in written().values():
        assert not re.search(r"\b[A-Z]+_(OUTPUT|TABLE)\b|\bTODO\b|\bTBD\b", page.text), page.name
    jobs = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "jobs").glob("*.yaml"))
    assert "TO-BE-MEASURED" not in jobs


def test_every_public_name_is_in_the_api_reference() -> None:
    text = written()["docs/reference/api.md"].text
    documented = set(re.findall(r"paretoflow\.(\w+)$", text, re.MULTILINE))
    errors = {"ParetoflowError", "UserError"}  # with all others, below their own heading
    # keys of a spec are those of the YAML, which has a reference of its own
    assert set(paretoflow.__all__) - errors - {"SweepSpec"} <= documented
    assert ".. automodule:: paretoflow.core.errors" in text


@pytest.mark.parametrize("package", ["", "engine", "methods"])
def test_the_code_on_one_page_names_every_package(package: str) -> None:
    text = written()["CONTRIBUTING.md"].text
    inner = [path.parent.name for path in (ROOT / "paretoflow" / package).glob("*/__init__.py")]
    assert inner
    assert [name for name in inner if f"{name}/" not in text] == []


def test_metrics_that_are_named_are_served() -> None:
    source = (ROOT / "paretoflow" / "engine" / "ray" / "metrics.py").read_text(encoding="utf-8")
    text = (ROOT / "cluster" / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"ray_paretoflow_(\w+)", text))
    assert len(named) > 3
    assert [n for n in named if f'"{n}"' not in source and f'"paretoflow_{n}"' not in source] == []


def test_the_number_of_real_blows_is_that_of_their_table() -> None:
    results = (ROOT / "tests" / "benchmarks" / "results" / "chaos.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in results.splitlines() if re.match(r"\| (local|s3) ", line)]
    blows = sum(int(cells[2]) for cells in rows)
    assert f"{blows} blows" in written()["docs/failures.md"].text
