"""What the pages show can be used: YAML, commands, Python, and output that is printed."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml

import paretoflow
from paretoflow.cli.main import VERBS, build, main
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.rewards_load import load_reward_spec
from tests.docs.pages import ROOT, Block, blocks, generated, written

_PROGRAMS = {"pip", "make", "python", "ray", "export", "git", "vllm"}
"""Programs that a console block may show beside `paretoflow`."""


def _ids(block: Block) -> str:
    return block.place


@pytest.mark.parametrize("block", blocks("yaml"), ids=_ids)
def test_yaml_is_accepted(block: Block, tmp_path: Path) -> None:
    shown = yaml.safe_load(block.text)
    if "pairs" in shown:
        for pairs in shown["pairs"]:
            (tmp_path / pairs["path"]).touch()
            pairs["path"] = str(tmp_path / pairs["path"])
        job = tmp_path / "rewards.yaml"
        job.write_text(yaml.safe_dump(shown), encoding="utf-8")
        assert load_reward_spec(job).pairs
        return
    text = block.text
    if "objectives" not in shown:
        text += "\nobjectives: [{name: one, type: length}, {name: two, type: length}]\n"
    elif len(shown["objectives"]) < 2:
        text = yaml.safe_dump(
            shown | {"objectives": [*shown["objectives"], {"name": "one", "type": "length"}]}
        )
    if "name" not in shown:
        text += "\nname: shown\n"
    spec = load_spec_text(text, block.place, files=False)
    assert len(spec.objectives) >= 2


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (name, text)
        for name, page in written().items()
        for text in re.findall(r"`([a-z_]+: [\[{][^`…]*[\]}])`", page.prose)
    ],
)
def test_yaml_in_a_sentence_is_accepted(place: str, text: str) -> None:
    """Of a sweep's top-level keys; other mappings are parts of one."""
    shown = yaml.safe_load(text)
    (key,) = shown
    tops = {"model", "data", "method", "proposer", "search", "engine", "stop", "tracking"}
    if key not in tops or shown[key] == {"type": "command"}:
        return
    objectives = [{"name": name, "type": "length"} for name in ("one", "two")]
    spec = {"name": "shown", "objectives": objectives} | shown
    assert load_spec_text(yaml.safe_dump(spec), place, files=False)


def _commands(block: Block) -> list[str]:
    return [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]


def _parsed(command: str) -> list[str]:
    return [word for word in shlex.split(command, comments=True) if word != "&"]


def _accept(arguments: list[str]) -> None:
    """Let the command line's own parser read arguments; nothing is called."""
    group = build()
    context = group.make_context("paretoflow", list(arguments), resilient_parsing=True)
    name, command, rest = group.resolve_command(context, arguments)
    command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("block", blocks("console"), ids=_ids)
def test_commands_are_read_by_the_command_line(block: Block) -> None:
    commands = _commands(block)
    assert commands, "a console block begins with `$ `"
    for command in commands:
        program, *arguments = _parsed(command)
        if program == "paretoflow":
            _accept(arguments)
        elif program == "python":
            assert arguments[0] == "-m"
            path = ROOT / arguments[1].replace(".", "/")
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()
        else:
            assert program in _PROGRAMS


@pytest.mark.parametrize("name", sorted(written()))
def test_commands_in_a_sentence_exist(name: str) -> None:
    for text in re.findall(r"`paretoflow ([^`]*)`", written()[name].prose):
        if text.isupper() or text.startswith("COMMAND"):
            continue
        verb, *rest = text.split()
        assert verb in VERBS or text == "--help", text
        options = {word.partition("=")[0] for word in rest if word.startswith("--")}
        if verb in VERBS:
            group = build()
            context = group.make_context("paretoflow", [verb], resilient_parsing=True)
            _, command, _ = group.resolve_command(context, [verb])
            known = {option for parameter in command.params for option in parameter.opts}
            assert options <= known | {"--help"}, text


def test_every_verb_has_its_line_and_its_section() -> None:
    commands = written()["docs/commands.md"].text
    reference = generated()["docs/reference/command-line.md"].text
    for verb in VERBS:
        assert f"| `paretoflow {verb}` |" in commands
        assert f"## `paretoflow {verb}`" in reference


def test_make_targets_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    rules = {name for line in re.findall(r"^([\w -]+):", makefile, re.M) for name in line.split()}
    for page in written().values():
        named = re.findall(r"`make ([\w-]+)`|^\$ make ([\w-]+)", page.text, re.MULTILINE)
        assert {code or line for code, line in named} <= rules, page.name


@pytest.mark.parametrize("block", blocks("python"), ids=_ids)
def test_python_compiles_and_its_imports_exist(block: Block) -> None:
    """Modules are read, not imported: Ray and Optuna take seconds to load."""
    tree = ast.parse(block.text, block.place)
    compile(tree, block.place, "exec")
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            missing = {alias.name for alias in node.names} - _names_in(str(node.module))
            assert not missing, f"{node.module} has no {missing}"
        elif isinstance(node, ast.Import):
            assert all(importlib.util.find_spec(alias.name) for alias in node.names)
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "paretoflow":
            assert node.attr in paretoflow.__all__


def _names_in(module: str) -> set[str]:
    """Return what a module of ours defines at its top."""
    found = importlib.util.find_spec(module)
    assert found is not None, f"no module {module}"
    assert found.origin is not None
    names: set[str] = set()
    for node in ast.parse(Path(found.origin).read_text(encoding="utf-8")).body:
        names |= {target.id for target in getattr(node, "targets", ()) if hasattr(target, "id")}
        if hasattr(node, "name"):
            names.add(node.name)
    return names


def _matches(printed: str, shown: str) -> bool:
    """Return whether output is as shown; `…` stands for anything, and ends of lines are cut."""
    pattern = "".join(".*" if part == "…" else re.escape(part) for part in re.split("(…)", shown))
    plain = "\n".join(line.rstrip() for line in printed.splitlines())
    return re.fullmatch(pattern, plain.strip(), re.DOTALL) is not None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the jobs, and with the ledgers of the two sweeps that the pages show."""
    made = tmp_path_factory.mktemp("pages")
    shutil.copytree(ROOT / "jobs", made / "jobs")
    with tarfile.open(Path(__file__).parent / "sweeps.tar.xz") as archive:
        archive.extractall(made, filter="data")
    return made


@pytest.mark.parametrize(
    "block", [block for block in blocks("console") if block.mark.startswith("run")], ids=_ids
)
def test_output_that_is_shown_is_printed(
    block: Block, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """`<!-- run N -->` compares the first N lines: adapters are not in the folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "160")
    for file in written()[block.page].blocks:
        if file.mark.startswith("file: "):
            (folder / file.mark.removeprefix("file: ")).write_text(file.text, encoding="utf-8")
    (command,) = _commands(block)
    main(_parsed(command)[1:])
    captured = capsys.readouterr()
    lines, shown = (captured.out + captured.err).splitlines(), block.text.splitlines()[1:]
    first = int(block.mark.removeprefix("run") or max(len(lines), len(shown)))
    printed = "\n".join(lines[:first])
    assert _matches(printed, "\n".join(shown[:first])), printed


def test_output_that_differs_is_found() -> None:
    assert _matches("one  \ntwo\n", "one\ntwo")
    assert _matches("one\nanything\ntwo\n", "one\n…\ntwo")
    assert not _matches("one\nthree\n", "one\ntwo")
    assert not _matches("one\ntwo\nthree\n", "one\ntwo")


def test_the_shown_sweeps_name_no_place_of_a_machine(folder: Path) -> None:
    sweeps = folder / "sweeps"
    texts = [path.read_bytes() for path in sweeps.rglob("*") if path.is_file()]
    assert texts
    assert not any(place in text for text in texts for place in (b"/tmp/", b"/work/", b"/home/"))
