"""The data file that a sweep names, read as a run would read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from paretoflow.cli.local.models import ModelFolder
from paretoflow.core.data_facts import DataFacts
from paretoflow.core.errors import DataError
from paretoflow.data import jsonl, load_prompts, parquet
from paretoflow.data.needs import Needs
from paretoflow.data.prompts import draw
from paretoflow.data.rows import Row, RowReader, existing_file
from paretoflow.data.saved import is_saved, saved_rows
from paretoflow.spec.data import HubDataSpec, JsonlDataSpec, ParquetDataSpec, PydocDataSpec
from paretoflow.spec.positions import Fault
from paretoflow.spec.sweep import SweepSpec

MOST_ROWS = 50_000
"""Rows that are looked at; the rest of a larger file is read by the run."""


@dataclass
class DataFindings:
    """What the data file tells.

    Args:
        facts: What became of its rows; None where it was not read to its end.
    """

    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: DataFacts | None = None


def data_findings(
    spec: SweepSpec, base: ModelFolder | None, references: tuple[str, ...]
) -> DataFindings:
    """Read a sweep's data and draw its sets, without a model.

    Args:
        spec: The sweep; its data are no embedded ones.
        base: The folder of its base; None where it is not here.
        references: Who needs a reference answer for each prompt.
    """
    found = DataFindings()
    data = spec.data
    assert not isinstance(data, PydocDataSpec)
    if isinstance(data, HubDataSpec) and not is_saved(data.path):
        where = "no saved data set" if Path(data.path).is_dir() else "on the hub"
        found.notes.append(f"data: {data.path} is {where}, and was not looked at")
        return found
    try:
        needs = _needs(spec, base, references, found)
        rows = iter(_rows(data))
        reader = RowReader(data, _renderer(base))
        pools = reader.pools(data.path, islice(rows, MOST_ROWS))
        if next(chain(rows, [None])) is not None:
            told = f"data: of {data.path} the first {MOST_ROWS:,} rows were looked at"
            found.notes.append(told)
            return found
        found.facts = draw(pools, data, spec.seed, needs.unfit).facts
    except DataError as error:
        found.faults.append(_fault(error, data.path))
    return found


def embedded_findings(spec: SweepSpec) -> DataFindings:
    """Count the embedded task's prompts; it takes a second."""
    found = DataFindings()
    try:
        load_prompts(spec.data, seed=spec.seed, render_chat=None)
    except DataError as error:
        found.faults.append(
            Fault(("data",), f"{error.where}: {error.what}", error.hint, code=error.code)
        )
    return found


def _rows(data: JsonlDataSpec | ParquetDataSpec | HubDataSpec) -> Iterator[Row]:
    if isinstance(data, HubDataSpec):
        return saved_rows(data)
    read = parquet.rows_of if isinstance(data, ParquetDataSpec) else jsonl.rows_of
    return read(existing_file(data.path))


def _renderer(base: ModelFolder | None) -> Callable[..., str] | None:
    """Return what stands in for a chat template; None where the base has none."""
    if base is not None and not base.has_template:
        return None

    def spoken(turns: Sequence[dict[str, Any]], tools: Any = None) -> str:
        return "\n".join(f"{turn['content']}" for turn in turns) or "?"

    return spoken


def _needs(
    spec: SweepSpec, base: ModelFolder | None, references: tuple[str, ...], found: DataFindings
) -> Needs:
    """Return what a prompt needs; its length only where the text is the prompt as it stands."""
    assert not isinstance(spec.data, PydocDataSpec)
    columns, own = spec.data.columns, spec.data.max_prompt_tokens
    window, new = base.window if base else None, spec.model.generation.max_new_tokens
    room = window - new if window is not None else None
    longest = min((n for n in (own, room) if n is not None), default=None)
    if longest is None:
        return Needs(references)
    if columns.messages or columns.dialogue:
        found.notes.append("data: how long prompts are was not looked at: a chat template decides")
        return Needs(references)
    try:
        tokens = _counter(base)
    except ValueError as error:
        what = f"its tokenizer.json cannot be read: {error}"
        found.faults.append(
            Fault(("model", "path"), what, "copy the folder again, whole", code="model-tokenizer")
        )
        return Needs(references)
    if tokens is None:
        found.notes.append("data: how long prompts are was not looked at: no fast tokenizer here")
        return Needs(references)
    limit = "data.max_prompt_tokens"
    if longest != own:
        limit = f"the model's window of {window} less model.generation.max_new_tokens, {new}"
    return Needs(references, tokens, longest, limit)


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


def _fault(error: DataError, path: str) -> Fault:
    where = "" if error.where.startswith("data.") else f"{error.where}: "
    key = ("data", "template") if error.where == "data.template" else ("data", "path")
    return Fault(key, f"{where}{error.what}", error.hint, code=error.code)
