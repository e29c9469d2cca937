"""Source files of an `import` objective: its module, and the modules it imports beside it.

They are found by reading the import statements, without running anything. Imports by a name
computed at run time, data files that a scorer opens, and libraries are not found; of an installed
scorer, the modules of its own package are.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

_INSTALLED = frozenset({"site-packages", "dist-packages"})


def source_files(module: str) -> dict[str, str]:
    """Return the SHA-256 of each source file of an imported module, by its name in their folder.

    Line ends do not count: they change when a file goes from one system to another.

    Args:
        module: Its full name.
    """
    file = getattr(sys.modules[module], "__file__", None)
    if file is None or not Path(file).is_file():  # built in, or out of an archive
        return {}
    home = _home(module, Path(file))
    found: dict[str, str] = {}
    seen = set(_and_above(module))
    waiting = sorted(seen)
    while waiting:
        name = waiting.pop()
        path = Path(file) if name == module else _path(name, home)
        if path is None:
            continue
        content = path.read_bytes().replace(b"\r\n", b"\n")
        found[path.relative_to(home).as_posix()] = hashlib.sha256(content).hexdigest()
        imported = set(_imports(content, name, package=path.name == "__init__.py"))
        new = {n for n in imported - seen if _is_own(n, module, home)}
        seen |= new
        waiting += sorted(new)
    return dict(sorted(found.items()))


def _home(module: str, file: Path) -> Path:
    """Return the folder of the import path that a module was found in."""
    inner = file.parent if file.name == "__init__.py" else file
    return inner.parents[module.count(".")]


def _is_own(name: str, module: str, home: Path) -> bool:
    """Return whether a module belongs to the scorer, and not to a library."""
    library = _INSTALLED & set(home.parts) or name.partition(".")[0] in sys.stdlib_module_names
    return not library or name.partition(".")[0] == module.partition(".")[0]


def _path(name: str, home: Path) -> Path | None:
    stem = home.joinpath(*name.split("."))
    files = (stem.with_name(f"{stem.name}.py"), stem / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _imports(content: bytes, name: str, *, package: bool) -> Iterator[str]:
    """Yield the full names that a module imports, packages on the way and names in them included.

    Args:
        content: Its source.
        name: Its full name.
        package: Whether it is the `__init__` of a package.
    """
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # compiled, or for another Python
        return
    parts = name.split(".")
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _and_above(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level + package] if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield from _and_above(f"{whole}.{alias.name}" if whole else alias.name)


def _and_above(name: str) -> Iterator[str]:
    """Yield `a`, `a.b`, `a.b.c` of `a.b.c`."""
    parts = name.split(".")
    return (".".join(parts[: i + 1]) for i in range(len(parts)))
