"""Damages the files of a sweep and of its exports, and asks every reader about them.

A reader gives the right answer, or one error that names a file of the sweep; never a traceback,
never a value that was not written, never a hang. A driver puts a damaged sweep right, or says that
it cannot.

    python -m tests.fuzz.files --minutes 60 --seed 7
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from paretoflow.cli.main import main
from paretoflow.core.errors import ParetoflowError
from paretoflow.engine.read.sweep import read_sweep
from paretoflow.ledger import fenced_table, open_ledger
from paretoflow.ledger.fragments import read_fragments, write_fragment
from paretoflow.ledger.rows import events_to_table
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.scoring.arrow_files import write_table
from tests.faults import printed
from tests.fuzz.limits import at_most
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.simulated_sweeps import simulated_sweep

LIMIT_S = 30
"""Seconds that one reader may take; an honest one takes tenths."""
RUNS = 7
OLD = 99
"""Number of the run whose result lies there as an earlier version wrote it."""
COMPACT_EVERY = 9
"""So that a short sweep has merged files too."""
EXPORTS = ("json", "parquet", "folder")
Mutation = Callable[[Path, random.Random, "Place"], str]


@dataclass(frozen=True)
class Place:
    """A sweep with its exports, and the right answers.

    Args:
        root: The copy that is damaged.
        clean: The copy that is not.
        readers: What is asked, by its name.
        answers: What each reader says of the clean one, by its name.
        events: Every event that was written, by its id.
        unsealed: The run whose result is in a file of an earlier version, without a digest: a
            changed digit in it cannot be told.
    """

    root: Path
    clean: Path
    readers: dict[str, Callable[[Path], Any]]
    answers: dict[str, Any]
    events: dict[str, Event]
    unsealed: str


def written(at: Path) -> Path:
    """Write a small sweep as a driver and its workers would, with all that lies beside it."""
    every, fenced_table.COMPACT_EVERY = fenced_table.COMPACT_EVERY, COMPACT_EVERY
    try:
        spec = circle_spec(storage=str(at), stop={"runs": RUNS})
        root = Path(str(simulated_sweep(spec, CircleOracle())))
    finally:
        fenced_table.COMPACT_EVERY = every
    told = (EventKind.EVALUATED, EventKind.FINISHED, EventKind.PAUSED)
    for event in open_ledger(root, writer=False).events():
        if event.kind in told and event.run_id.startswith("r"):
            write_fragment(root, [replace(event, seq=-1, epoch=-1)])
    for number in (97, 98):  # results of a worker group without a driver
        _write_late(root, number)
    _write_old(root, OLD)
    points = read_sweep(root).front.points
    rows = pa.table({"prompt_id": ["a"], "prompt": ["x"], "reference": [""], "completion": ["y"]})
    for point in points:
        write_table(root / "answers" / f"{point.snapshot_id}.arrow", rows)
    (root / "live.json").write_text('{"time_s": 1.0, "epoch": 0, "driver": "head:7", "gangs": []}')
    for kind in EXPORTS:
        _call(["export", str(root), "-o", str(root / f"export-{kind}"), "--format", kind])
    return root


def late_event(number: int) -> Event:
    """Return a result that is in a fragment alone."""
    name = f"r{number:04d}-abcdef"
    scores = (0.5, 0.25)
    return Event(
        f"evaluated:{name}:0:1",
        EventKind.EVALUATED,
        float(number),
        run_id=name,
        snapshot_id=f"{name}-a0-s0001",
        step=1,
        scores=scores,
        stderr=(0.01, 0.02),
        prompt_scores=(scores, scores),
        n=2,
        payload={"diagnostics": {"kl": 1.5}},
    )


def _write_late(root: Path, number: int) -> None:
    write_fragment(root, [late_event(number)])


def _write_old(root: Path, number: int) -> None:
    """Write a fragment as earlier versions did, without a seal."""
    path = Path(write_fragment(root, [late_event(number)]))
    table = events_to_table([late_event(number)])
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


def _flipped(path: Path, rng: random.Random, _: Place) -> str:
    content = bytearray(path.read_bytes())
    count = rng.choice((1, 1, 1, 2, 8, 40))
    for _n in range(count if content else 0):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    return f"{count} bits flipped"


def _cut(path: Path, rng: random.Random, _: Place) -> str:
    content = path.read_bytes()
    size = rng.choice((0, 1, len(content) // 2, max(0, len(content) - 1), rng.randrange(9000)))
    path.write_bytes(content[:size])
    return f"cut to {size} bytes"


def _zeroed(path: Path, rng: random.Random, _: Place) -> str:
    content = bytearray(path.read_bytes())
    start = rng.choice((0, 0, rng.randrange(len(content) + 1)))
    content[start:] = bytes(len(content) - start)
    path.write_bytes(content)
    return f"zeros from byte {start}"


def _longer(path: Path, rng: random.Random, _: Place) -> str:
    content = path.read_bytes()
    path.write_bytes(content + rng.choice((b"\0", b"\n", b"x" * 100, content)))
    return "longer"


def _gone(path: Path, rng: random.Random, _: Place) -> str:
    path.unlink()
    return "gone"


def _swapped(path: Path, rng: random.Random, place: Place) -> str:
    other = rng.choice([p for p in path.parent.iterdir() if p.is_file()])
    mine, its = path.read_bytes(), other.read_bytes()
    path.write_bytes(its)
    other.write_bytes(mine)
    return f"swapped with {other.name}"


def _doubled(path: Path, rng: random.Random, place: Place) -> str:
    other = rng.choice([p for p in path.parent.iterdir() if p.is_file()])
    path.write_bytes(other.read_bytes())
    return f"a copy of {other.name}"


def _retyped(path: Path, rng: random.Random, place: Place) -> str:
    """Give a value of a JSON file another type; of other files flip bits."""
    try:
        plain = json.loads(path.read_bytes())
    except ValueError:
        return _flipped(path, rng, place)
    new = rng.choice((None, 7, -1.5, "x", [], {}, [1], {"a": 1}, True, 1e300, 10**400, "\ud800"))
    path.write_text(json.dumps(_with(plain, new, rng)))
    return f"a value is {type(new).__name__}"


def _with(plain: Any, new: Any, rng: random.Random) -> Any:
    if isinstance(plain, dict) and plain and rng.random() < 0.85:
        key = rng.choice(list(plain))
        return {**plain, key: _with(plain[key], new, rng)}
    if isinstance(plain, list) and plain and rng.random() < 0.85:
        at = rng.randrange(len(plain))
        return [*plain[:at], _with(plain[at], new, rng), *plain[at + 1 :]]
    return new


def _odd(path: Path, rng: random.Random, _: Place) -> str:
    content = rng.choice(
        (b"[" * 100_000, b"\xff\xfe", b"null", b"7", b"[]", b"{}", b'"x"', b"9" * 5000)
    )
    path.write_bytes(content)
    return f"it is {content[:10]!r}"


def _folder(path: Path, rng: random.Random, _: Place) -> str:
    path.unlink()
    path.mkdir()
    return "a folder"


MUTATIONS: tuple[Mutation, ...] = (
    _flipped, _flipped, _flipped, _cut, _zeroed, _longer, _gone, _swapped, _doubled, _retyped, _odd,
    _folder,
)  # fmt: skip


def _call(argv: Sequence[str]) -> tuple[int, str, str]:
    """Run a verb; return its status and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(list(argv))
    return status, out.getvalue(), err.getvalue()


def _front(root: Path) -> Any:
    view = read_sweep(root)
    points = [(p.snapshot_id, p.scores, p.stderr, p.weights) for p in view.front.points]
    curve = [(n, round(s, 6), round(v, 9)) for n, s, v in view.curve]
    return points, round(view.front.hypervolume, 12), len(view.evaluations), curve


def _verb(*argv: str, told: bool = True) -> Callable[[Path], Any]:
    def ask(root: Path) -> Any:
        status, out, err = _call([a.replace("@", str(root)) for a in argv])
        if "Traceback" in out + err:
            raise AssertionError(f"traceback told: {err[-2000:]}")
        if status:
            if not printed(err) and "error: " not in err:
                raise AssertionError(f"status {status} and no error: {(out + err)[:300]}")
            raise ParetoflowError(err)
        return out.replace(str(root), "@") if told else None

    return ask


READERS: dict[str, Callable[[Path], Any]] = {
    "front": _front,
    "verb front": _verb("front", "@", "--format", "json"),
    "verb snapshots": _verb("snapshots", "@", "--format", "json"),
    "verb status": _verb("status", "@", told=False),
    "verb pick": _verb("pick", "@", "--prefer", "left=0.5,right=0.5", told=False),
    "verb report": _verb("report", "@", "-o", "@/page.html", told=False),
}
"""What each gives of a sweep; those that print times or places are only to end in plain words."""


def _exports(digests: Mapping[str, str]) -> dict[str, Callable[[Path], Any]]:
    """Return how each export is verified: by the digest that was kept elsewhere, and without."""
    readers = {}
    for kind, digest in digests.items():
        folder = f"@/export-{kind}"
        readers[f"verify {kind}"] = _verb("verify", folder, "--digest", digest)
        readers[f"verify {kind} alone"] = _verb("verify", folder, told=False)
    return readers


def _files(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.is_file())


def prepared(at: Path) -> Place:
    """Write a sweep and note the right answers."""
    clean = written(at / "clean")
    root = at / "damaged" / clean.name
    shutil.copytree(clean, root)
    digests = {k: sha256((root / f"export-{k}" / "manifest.json").read_bytes()) for k in EXPORTS}
    readers = {**READERS, **_exports({k: d.hexdigest() for k, d in digests.items()})}
    answers = {name: read(root) for name, read in readers.items()}
    (root / "page.html").unlink()
    events = {e.event_id: e for e in open_ledger(root, writer=False).events()}
    events |= {e.event_id: e for e in read_fragments(root, known=events)}
    return Place(root, clean, readers, answers, events, late_event(OLD).run_id)


def damaged(place: Place, rng: random.Random) -> tuple[Path, str]:
    """Damage one file of the sweep, of every kind of file alike; return which, and how."""
    files = _files(place.root)
    kinds = {_kind(p, place.root) for p in files}
    kind = rng.choice(sorted(kinds))
    path = rng.choice([p for p in files if _kind(p, place.root) == kind])
    return path, rng.choice(MUTATIONS)(path, rng, place)


def _kind(path: Path, root: Path) -> str:
    name = path.relative_to(root)
    if name.parts[0] == "ledger":
        log = "log" if "_delta_log" in name.parts else "data"
        return f"{name.parts[1]} {log} {path.suffix if log == 'log' else ''}"
    return str(name) if len(name.parts) == 1 else name.parts[0]


def faults_of(place: Place, path: Path, rng: random.Random) -> list[str]:
    """Ask readers about a damaged sweep; return what they did that they must not."""
    exported = path.relative_to(place.root).parts[0].startswith("export-")
    names = ["front", *rng.sample(sorted(set(READERS) - {"front"}), 2)]
    if exported:
        kind = path.relative_to(place.root).parts[0].removeprefix("export-")
        names = [f"verify {kind}", f"verify {kind} alone"]
    faults = []
    for name in names:
        faults += _fault(place, name, place.readers[name])
    if not exported:
        faults += _fault(place, "fragments", lambda root: _no_other_events(place, _fragments(root)))
        if rng.random() < 0.4:
            faults += _fault(place, "driver", lambda root: _driven(place, root))
    return faults


def _fault(place: Place, name: str, read: Callable[[Path], Any]) -> list[str]:
    try:
        with at_most(LIMIT_S):
            found = read(place.root)
    except ParetoflowError as error:
        where = str(error)
        return (
            []
            if str(place.root) in where.replace("\n", "") or "front" in where
            else [f"{name}: an error without a place: {where[:300]}"]
        )
    except BaseException as error:  # a panic of Rust is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        return [f"{name}: {traceback.format_exc(limit=-4)}"]
    wanted = place.answers.get(name)
    if name in ("verb front", "verb snapshots") and _lost_last_front(place):
        return []
    if name in place.answers and found != wanted:
        return [f"{name}: altered: {str(found)[:400]} for {str(wanted)[:400]}"]
    return []


def _lost_last_front(place: Place) -> bool:
    """Tell that the last front was lost whole: as if its driver had been killed before it."""
    name = Path("ledger", "fronts", "_delta_log")
    last = max((place.clean / name).glob("*.json")).name
    return not (place.root / name / last).is_file()


def _fragments(root: Path) -> list[Event]:
    return read_fragments(root)


def _no_other_events(place: Place, found: Sequence[Event]) -> None:
    for event in found:
        if event.run_id == place.unsealed:
            continue
        written_as = place.events.get(event.event_id)
        if written_as is None or replace(event, seq=-1, epoch=-1) != replace(
            written_as, seq=-1, epoch=-1
        ):
            raise AssertionError(f"altered: {event}")


def _driven(place: Place, root: Path) -> None:
    """Take the sweep over as a driver does: nothing is lost or altered, or it is refused."""
    aside: list[ParetoflowError] = []
    ledger = open_ledger(root, writer=True, fsync=False)
    events = ledger.events()
    _no_other_events(place, events)
    missing = set(place.events) - {e.event_id for e in events}
    late = read_fragments(root, known=ledger.ids(), damaged=aside.append)
    _no_other_events(place, late)
    lost = missing - {e.event_id for e in late}
    if lost and not aside and not (root / "fragments").exists():
        raise AssertionError(f"lost: {sorted(lost)}")
    assert open_ledger(root, writer=False).events() == events


def fuzz(
    place: Place, seed: int, seconds: float, tell: Callable[[str], None] = lambda line: None
) -> Counter[str]:
    """Damage files for so many seconds; return how many, and every fault with how often it came.

    Args:
        place: Where; it is whole again afterwards.
        seed: Of the damage: the same seed does the same in the same order.
        seconds: How long; the one at work is finished.
        tell: Called for each new fault, with the file that showed it.
    """
    rng = random.Random(seed)
    counted: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        path, how = damaged(place, rng)
        counted["mutants"] += 1
        for fault in faults_of(place, path, rng):
            short = f"{_kind(path, place.root)}: {fault.strip().splitlines()[-1][:200]}"
            if short not in counted:
                tell(f"{path.relative_to(place.root)}: {how}\n{fault}\n---")
            counted[short] += 1
        shutil.rmtree(place.root)
        shutil.copytree(place.clean, place.root)
    return counted


def run(argv: list[str] | None = None) -> int:
    """Fuzz from the command line; the exit status is 1 when anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as at:
        place, seconds = prepared(Path(at)), 60 * given.minutes
        counted = fuzz(place, given.seed, seconds, lambda line: print(line, flush=True))  # noqa: T201
    print(f"{counted.pop('mutants')} mutants, {sum(counted.values())} faults")  # noqa: T201
    return int(bool(counted))


if __name__ == "__main__":
    raise SystemExit(run())
