"""Read a sweep's data file as a run would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from paretoflow.cli.local.models import ModelFolder
from paretoflow.core.data_facts import DataFacts
from paretoflow.core.errors import DataError
from paretoflow.core.protocols import Prompt
from paretoflow.data import load_prompts
from paretoflow.data.bad_rows import Row
from paretoflow.data.given import drawn, gathered, rows_of
from paretoflow.data.needs import Needs
from paretoflow.data.prompts import draw
from paretoflow.data.rows import RowReader
from paretoflow.data.saved import is_saved, saved_rows
from paretoflow.spec.data import (
    HubDataSpec,
    JsonlDataSpec,
    ParquetDataSpec,
    PydocDataSpec,
    RowsSpec,
    asks_in_turns,
    row_sources,
)
from paretoflow.spec.data_given import PreferencesDataSpec, RatingsDataSpec, kind_of
from paretoflow.spec.objectives import moved_names
from paretoflow.spec.positions import Fault
from paretoflow.spec.shape import KeyPath
from paretoflow.spec.sweep import SweepSpec

MOST_ROWS = 50_000
"""Maximum rows to check; the run reads the rest of a larger file."""


@dataclass
class DataFindings:
    """Findings in the data file.

    Args:
        facts: Counts of its rows, by their use; None if it was not read to its end.
        first: Two train prompts; none where there is a fault or the data are not here.
    """

    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: DataFacts | None = None
    first: tuple[Prompt, ...] = ()


def data_findings(
    spec: SweepSpec, base: ModelFolder | None, references: tuple[str, ...]
) -> DataFindings:
    """Read a sweep's data and draw its sets, without a model.

    Args:
        spec: The sweep, whose data are not the embedded ones.
        base: The folder of its base; None if it is not on this machine.
        references: Names of what needs a reference answer for each prompt.
    """
    found = DataFindings()
    data = spec.data
    assert not isinstance(data, PydocDataSpec)
    if unseen := [source for source in row_sources(data) if _is_away(source)]:
        for source in unseen:
            where = "no saved data set" if Path(source.path).is_dir() else "on the hub"
            below = getattr(source, "data_dir", None)
            name = source.path if below is None else f"{source.path}, {below},"
            found.notes.append(f"data: {name} is {where}, and was not checked")
        return found
    try:
        needs = _needs(spec, base, references, found)
        found.facts = _facts(spec, needs, base, found)
    except DataError as error:
        found.faults.append(_fault(error, row_sources(data)))
    return found


def _facts(
    spec: SweepSpec, needs: Needs, base: ModelFolder | None, found: DataFindings
) -> DataFacts | None:
    """Return the counts of the rows; None for a file that is too large to check."""
    data, large = spec.data, []

    def rows(source: RowsSpec) -> Iterator[Row]:
        every = iter(rows_of(source, saved_rows))
        yield from islice(every, MOST_ROWS)
        if next(every, None) is not None:
            large.append(source.path)

    if isinstance(data, PreferencesDataSpec | RatingsDataSpec):
        everything = gathered(data, _renderer(base), needs.objectives, rows)
    else:
        assert not isinstance(data, PydocDataSpec)
        pools = RowReader(data, _renderer(base)).pools(data.path, rows(data))
    for path in large:
        found.notes.append(f"data: of {path} the first {MOST_ROWS:,} rows were checked")
    given = isinstance(data, PreferencesDataSpec | RatingsDataSpec)
    if large:
        found.first = (everything.pools if given else pools).train[:2]
        return None
    if isinstance(data, PreferencesDataSpec | RatingsDataSpec):
        sets = drawn(everything, data, spec.seed, needs)
    else:
        sets = draw(pools, data, spec.seed, needs.unfit)
    found.first = sets.train[:2]
    return sets.facts


def embedded_findings(spec: SweepSpec) -> DataFindings:
    """Count the embedded task's prompts; it takes a second."""
    found = DataFindings()
    try:
        sets = load_prompts(spec.data, seed=spec.seed, render_chat=None)
        found.first = sets.train[:2]
    except DataError as error:
        found.faults.append(
            Fault(("data",), f"{error.where}: {error.what}", error.hint, code=error.code)
        )
    return found


def _kind(source: RowsSpec) -> str:
    return getattr(source, "type", None) or kind_of(source.path)


def _is_away(source: RowsSpec) -> bool:
    return _kind(source) == "hub" and not is_saved(source.path)


def _renderer(base: ModelFolder | None) -> Callable[..., str] | None:
    """Return a stand-in for the chat template; None if the base has none."""
    if base is not None and not base.has_template:
        return None

    def spoken(turns: Sequence[dict[str, Any]], tools: Any = None) -> str:
        return "\n".join(f"{turn['content']}" for turn in turns) or "?"

    return spoken


def _needs(
    spec: SweepSpec, base: ModelFolder | None, references: tuple[str, ...], found: DataFindings
) -> Needs:
    """Return the requirements on a prompt; its length only if the text itself is the prompt."""
    assert not isinstance(spec.data, PydocDataSpec)
    own, names = spec.data.max_prompt_tokens, moved_names(spec.objectives)
    window, new = base.window if base else None, spec.model.generation.max_new_tokens
    room = window - new if window is not None else None
    longest = min((n for n in (own, room) if n is not None), default=None)
    plainly = Needs(references, objectives=names)
    if longest is None and getattr(spec.data, "max_answer_tokens", None) is None:
        return plainly
    if asks_in_turns(spec.data):
        found.notes.append("data: how long prompts are was not checked: a chat template decides")
        return plainly
    try:
        tokens = _counter(base)
    except ValueError as error:
        what = f"its tokenizer.json cannot be read: {error}"
        found.faults.append(
            Fault(("model", "path"), what, "copy the folder again, whole", code="model-tokenizer")
        )
        return plainly
    if tokens is None:
        found.notes.append("data: how long prompts are was not checked: no fast tokenizer here")
        return plainly
    limit = "data.max_prompt_tokens"
    if longest != own:
        limit = f"the model's window of {window} less model.generation.max_new_tokens, {new}"
    return Needs(references, tokens, longest, limit, window, names)


def _counter(base: ModelFolder | None) -> Callable[[str], int] | None:
    file = base.folder / "tokenizer.json" if base else None
    if file is None or not file.is_file():
        return None
    try:
        from tokenizers import Tokenizer
    except ImportError:
        return None
    tokenizer = Tokenizer.from_buffer(file.read_bytes())  # `from_file` raises a bare Exception
    return lambda text: len(tokenizer.encode(text).ids)


def _fault(error: DataError, sources: Sequence[RowsSpec]) -> Fault:
    where = "" if error.where.startswith("data.") else f"{error.where}: "
    return Fault(_key(error.where, sources), f"{where}{error.what}", error.hint, code=error.code)


def _key(where: str, sources: Sequence[RowsSpec]) -> KeyPath:
    """Return the key for an error in the data: that of its file, if the error is of one file."""
    if isinstance(sources[0], JsonlDataSpec | ParquetDataSpec | HubDataSpec):
        return ("data", "template") if where == "data.template" else ("data", "path")
    own = [i for i, source in enumerate(sources) if where.startswith(source.path)]
    return ("data", "sources", own[0], "path") if own else ("data", "sources")
