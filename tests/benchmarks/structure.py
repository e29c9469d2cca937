"""Statistics of the package's import graph: `python -m tests.benchmarks.structure [ROOT]`.

A room is a module or a package directly in the package in question. An arrow leads from a room to
each room that one of its modules imports; an arrow in a cycle leads back up. Floors are counted
along the longest way down. ROOT is a checkout, this one by default.
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path

import grimp

LOOKED_AT = ("paretoflow", "paretoflow.engine", "paretoflow.methods")
HEAD = (
    "| of | files | rooms | floors | arrows | back up | most files in one folder | median lines "
    "| most lines |"
)


def arrows_of(graph: grimp.ImportGraph, top: str) -> set[tuple[str, str]]:
    """Return the pairs of rooms of which one imports the other."""
    found = set()
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            ends = room_of(module, top), room_of(other, top)
            if all(ends) and ends[0] != ends[1]:
                found.add(ends)
    return found


def room_of(module: str, top: str) -> str:
    """Return which room of `top` a module lies in; empty if in none."""
    inside = module.removeprefix(f"{top}.")
    return "" if inside == module else inside.partition(".")[0]


def reachable(start: str, arrows: set[tuple[str, str]]) -> set[str]:
    """Return the rooms that a room leads to."""
    found: set[str] = set()
    ahead = [start]
    while ahead:
        room = ahead.pop()
        for source, target in arrows:
            if source == room and target not in found:
                found.add(target)
                ahead.append(target)
    return found


def back_up(arrows: set[tuple[str, str]]) -> int:
    """Return how many arrows are part of a cycle."""
    return sum(source in reachable(target, arrows) for source, target in arrows)


def floors(arrows: set[tuple[str, str]]) -> int:
    """Return how many rooms the longest way down passes; rooms of one cycle count as one."""
    below = {room: reachable(room, arrows) for pair in arrows for room in pair}
    depth: dict[str, int] = {}
    for room in sorted(below, key=lambda room: len(below[room])):
        deeper = (depth.get(r, 0) for s, r in arrows if s == room and room not in below[r])
        depth[room] = 1 + max(deeper, default=0)
    return max(depth.values(), default=1)


def row(graph: grimp.ImportGraph, root: Path, top: str) -> str:
    """Return the line of a package."""
    files = [f for f in sorted((root / top.replace(".", "/")).rglob("*.py")) if f.stat().st_size]
    lines = [len(file.read_text(encoding="utf-8").splitlines()) for file in files]
    arrows = arrows_of(graph, top)
    rooms = {room_of(m, top) for m in graph.modules} - {""}
    most = max(len(list(d.glob("*.py"))) for d in {f.parent for f in files})
    cells = len(files), len(rooms), floors(arrows), len(arrows), back_up(arrows), most
    return (
        f"| {top} | {' | '.join(map(str, cells))} | {statistics.median(lines):g} | {max(lines)} |"
    )


def main() -> None:
    """Print the table."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    os.chdir(root)
    sys.path.insert(0, str(root))
    for name in [n for n in sys.modules if n.partition(".")[0] == "paretoflow"]:
        del sys.modules[name]
    graph = grimp.build_graph("paretoflow", cache_dir=None)
    below = {module: graph.find_upstream_modules(module) for module in graph.modules}
    cycles = [m for m in below if any(m in below[other] for other in below[m])]
    print(HEAD)
    print(f"|{' --- |' * HEAD.count(' | ')}{' --- |'}")
    for top in LOOKED_AT:
        print(row(graph, root, top))
    print(f"\nModules in a cycle: {', '.join(sorted(cycles)) or 'none'}.")


if __name__ == "__main__":
    main()
