"""Functions of `import` objectives, read and not run: importing them may load torch."""

from __future__ import annotations

import ast
import difflib
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from pathlib import Path

from paretoflow.objectives.convention import by_signature, is_trl_path
from paretoflow.spec.objectives import ImportObjectiveSpec
from paretoflow.spec.positions import Fault
from paretoflow.spec.shape import KeyPath

_GIVEN = 2
"""Number of positional arguments: prompts and completions."""

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Named = Function | ast.ClassDef | ast.expr | None


def function_findings(path: KeyPath, objective: ImportObjectiveSpec) -> Iterator[Fault | str]:
    """Yield the faults of an objective's function, and the parts that were not checked."""
    module, _, name = objective.path.partition(":")
    place = (*path, "path")
    try:
        file = _file_of(module)
    except LookupError as error:
        found = f"there is no module {error.args[0]!r}"
        near = difflib.get_close_matches(module, _modules_here(), n=1)
        looked = f"it is looked for in {str(Path.cwd())!r} and among the installed packages"
        yield Fault(
            place, found, f"did you mean {near[0]!r}?" if near else looked, code="spec-missing-file"
        )
        return
    if file is None:
        yield f"{objective.path}: its module is no Python source, so the function was not checked"
        return
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except (SyntaxError, ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        yield Fault(
            place, f"{file}{line}: {error.args[0]}", "repair the module", code="spec-unusable-file"
        )
        return
    names, open_ended = _names(tree.body)
    if name not in names:
        if open_ended:
            yield f"{objective.path}: its module imports its names, so it was not checked"
            return
        own = [n for n, node in names.items() if isinstance(node, Function) and n[0] != "_"]
        near = difflib.get_close_matches(name, names, n=1)
        defines = f"it defines {', '.join(sorted(own)[:10])}" if own else "it defines no function"
        hint = f"did you mean {near[0]!r}?" if near else defines
        yield Fault(place, f"{file} defines no {name!r}", hint, code="spec-missing-file")
        return
    yield from _callable(path, objective, names[name], file)


def _callable(
    path: KeyPath, objective: ImportObjectiveSpec, node: Named, file: Path
) -> Iterator[Fault | str]:
    place = (*path, "path")
    if isinstance(node, ast.Constant | ast.List | ast.Tuple | ast.Dict | ast.Set | ast.JoinedStr):
        what = f"{objective.path} is no function ({file}:{node.lineno})"
        yield Fault(
            place, what, "name a function f(prompts, completions)", code="spec-unusable-file"
        )
    elif isinstance(node, ast.AsyncFunctionDef) and objective.convention == "paretoflow":
        what = f"{objective.path} is an async function ({file}:{node.lineno})"
        hint = "write `convention: trl`, or name a plain function"
        yield Fault(place, what, hint, code="spec-unusable-file")
    elif not isinstance(node, Function) or getattr(node, "decorator_list", None):
        yield f"{objective.path}: what it takes was not checked, it is no plain function"
    elif not _by_keyword(objective, node):
        yield from _signature(path, objective, node, f"{file}:{node.lineno}")


def _by_keyword(objective: ImportObjectiveSpec, node: Function) -> bool:
    """Return whether a function is called by TRL's convention; a dry call checks its arguments."""
    if objective.convention is not None:
        return objective.convention == "trl"
    takes = node.args
    positional = [a.arg for a in (*takes.posonlyargs, *takes.args)]
    named = [a.arg for a in takes.kwonlyargs]
    by_names = by_signature(positional, named) == "trl"
    return by_names or isinstance(node, ast.AsyncFunctionDef) or is_trl_path(objective.path)


def _signature(
    path: KeyPath, objective: ImportObjectiveSpec, node: Function, where: str
) -> Iterator[Fault]:
    takes, given = node.args, set(objective.kwargs)
    positional = [a.arg for a in (*takes.posonlyargs, *takes.args)]
    if len(positional) < _GIVEN and takes.vararg is None:
        what = f"{objective.path} takes {len(positional)} arguments by position ({where})"
        yield Fault(
            (*path, "path"),
            what,
            "it is called as f(prompts, completions, **kwargs)",
            code="spec-unusable-file",
        )
        return
    by_name = [a.arg for a in takes.args][max(0, _GIVEN - len(takes.posonlyargs)) :]
    by_name += [a.arg for a in takes.kwonlyargs]
    for name in sorted(given - set(by_name)) if takes.kwarg is None else ():
        near = difflib.get_close_matches(name, by_name, n=1)
        allowed = ", ".join(by_name) or "none"
        what = f"{objective.path} takes no {name!r} ({where}); allowed: {allowed}"
        yield Fault(
            (*path, "kwargs"),
            what,
            f"did you mean {near[0]!r}?" if near else "remove it",
            code="spec-unknown-key",
        )
    needed = positional[_GIVEN : len(positional) - len(takes.defaults)]
    needed += [a.arg for a, d in zip(takes.kwonlyargs, takes.kw_defaults, strict=True) if d is None]
    for name in needed:
        if name not in given:
            what = f"{objective.path} needs {name!r} too ({where})"
            yield Fault(
                (*path, "kwargs"),
                what,
                f"set kwargs.{name}, or give it a default",
                code="spec-missing-key",
            )


def _file_of(module: str) -> Path | None:
    """Return a module's source file; None if there is none. Runs no code.

    Raises:
        LookupError: If there is no such module.
    """
    parts = module.split(".")
    found = _below_places(parts[0], [str(Path.cwd())]) or _installed(parts[0])
    if found is None:
        raise LookupError(parts[0])
    for depth in range(2, len(parts) + 1):
        name = ".".join(parts[:depth])
        inner = _below_places(name, list(found.submodule_search_locations or ()))
        if inner is None:
            raise LookupError(name)
        found = inner
    origin = Path(found.origin) if found.origin else None
    return origin if origin is not None and origin.suffix == ".py" and origin.is_file() else None


def _below_places(name: str, places: Sequence[str]) -> ModuleSpec | None:
    """Find a module in folders, since Python's own search imports the packages above it."""
    loaders = (SourceFileLoader, SOURCE_SUFFIXES), (ExtensionFileLoader, EXTENSION_SUFFIXES)
    specs = [FileFinder(place, *loaders).find_spec(name) for place in places]
    found = [spec for spec in specs if spec is not None]
    whole = next((spec for spec in found if spec.loader is not None), None)
    if whole is not None or not found:
        return whole
    together = ModuleSpec(name, None, is_package=True)
    together.submodule_search_locations = [
        place for spec in found for place in spec.submodule_search_locations or ()
    ]
    return together


def _installed(name: str) -> ModuleSpec | None:
    """Query every finder: editable installs have finders of their own."""
    specs = (finder.find_spec(name, None) for finder in sys.meta_path)
    return next((spec for spec in specs if spec is not None), None)


def _modules_here() -> list[str]:
    return [file.stem for file in Path.cwd().glob("*.py")]


def _names(body: Sequence[ast.stmt]) -> tuple[dict[str, Named], bool]:
    """Return a module's names with their definitions, and whether there may be more names.

    The definition is None for an import. The last one counts; of those under `if`, `try` and `with`
    the first.
    """
    names: dict[str, Named] = {}
    open_ended = False
    for node in body:
        for name, meant in _defined(node):
            names[name] = meant
            open_ended |= name in ("*", "__getattr__")
        for inner in _below(node):
            below, more = _names([inner])
            names = {**below, **names}
            open_ended |= more
    return names, open_ended


def _defined(node: ast.stmt) -> Iterator[tuple[str, Named]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name, node
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield (alias.asname or alias.name).partition(".")[0], None
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                yield target.id, node.value
            elif isinstance(target, ast.Tuple | ast.List):
                yield from ((t.id, None) for t in target.elts if isinstance(t, ast.Name))


def _below(node: ast.stmt) -> Iterator[ast.stmt]:
    """Yield the statements under an `if`, a `try` or a `with`."""
    if isinstance(node, ast.If | ast.Try | ast.With):
        for part in ("body", "orelse", "finalbody"):
            yield from getattr(node, part, [])
    for handler in node.handlers if isinstance(node, ast.Try) else ():
        yield from handler.body
