"""Prompts that no part of a sweep has seen, from the rest of its data or from another file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from paretoflow.core.data_facts import SHOWN
from paretoflow.core.errors import DataError
from paretoflow.core.ids import digest_of
from paretoflow.core.protocols import Prompt
from paretoflow.data.identity import identity_of
from paretoflow.data.near import near_pairs
from paretoflow.data.prompts import Pools, PromptSets, shortened
from paretoflow.spec.data import (
    ColumnsSpec,
    DataSpec,
    JsonlDataSpec,
    ParquetDataSpec,
    PydocDataSpec,
    row_sources,
)

FEWEST = 8
"""Fewest fresh prompts for a meaningful confirmation."""


@dataclass(frozen=True)
class Fresh:
    """Prompts of a confirmation.

    Args:
        available: Number of usable fresh prompts in the source.
        repeated: Number of the source's prompts that the sweep has; they are left out.
        near: Number of fresh prompts that nearly repeat a prompt of the sweep.
        pairs: The first near repeats, each with the prompt it repeats, shortened.
    """

    prompts: tuple[Prompt, ...]
    available: int
    repeated: int
    near: int
    pairs: tuple[tuple[str, str], ...]


def spec_of_file(file: Path, data: DataSpec) -> DataSpec:
    """Return the data spec of a file of fresh prompts, with the columns of the sweep's own data.

    For a sweep on the embedded task they are `prompt`, `reference` and `passages`.

    Raises:
        DataError: If the file's name has no known suffix.
    """
    names = file.name.lower()
    if isinstance(data, PydocDataSpec):
        read = {"columns": ColumnsSpec(reference="reference", passages="passages")}
    else:
        source = row_sources(data)[0]
        read = {name: getattr(source, name) for name in ("template", "max_passage_words")}
        read |= {name: getattr(data, name) for name in ("max_prompt_tokens", "on_bad_row")}
        names_prompts = {name: getattr(source.columns, name) for name in ColumnsSpec.model_fields}
        read["columns"] = ColumnsSpec(**names_prompts)
    if names.endswith(".parquet"):
        return ParquetDataSpec(type="parquet", path=str(file), **read)
    if names.removesuffix(".gz").endswith((".jsonl", ".json")):
        return JsonlDataSpec(type="jsonl", path=str(file), **read)
    raise DataError(
        f"{file.name} is neither .jsonl, .jsonl.gz nor .parquet",
        "--data",
        "save the fresh prompts as JSON lines, with the columns of the sweep's own data",
        code="data-unreadable",
    )


def fresh_of(
    pools: Pools,
    sets: PromptSets,
    seed: int,
    count: int | None,
    unfit: Callable[[Prompt], DataError | None],
    evals: int,
) -> Fresh:
    """Return fresh prompts: none is the same as a prompt in any of the sweep's sets.

    They are ordered by a hash of the seed and the prompt's identity, so a smaller draw is the start
    of a larger one.

    Args:
        pools: The source; its eval split is used if there is one.
        sets: The sweep's; empty where they are not known.
        seed: The sweep's.
        count: Number of prompts; None takes four for each eval prompt, or all where there are
            fewer.
        unfit: Returns why a prompt cannot be used; unfit prompts are skipped.
        evals: Eval prompts of the sweep.

    Raises:
        DataError: If there are fewer than `count`, or than `FEWEST`.
    """
    known = (*sets.train, *sets.validation, *sets.eval)
    seen, texts = {identity_of(p) for p in known}, {p.text for p in known}
    offered = {
        identity_of(p): p for p in reversed(pools.train if pools.eval is None else pools.eval)
    }
    new = {asked: p for asked, p in offered.items() if asked not in seen and p.text not in texts}
    order = sorted(new, key=lambda asked: digest_of([seed, "confirm", asked]))
    fit = [new[asked] for asked in order if unfit(new[asked]) is None]
    wanted = min(len(fit), 4 * evals) if count is None else count
    if len(fit) < max(wanted, FEWEST):
        raise _too_few(len(fit), wanted, len(offered) - len(new), pools.source)
    prompts = tuple(fit[:wanted])
    near = near_pairs(prompts, known)
    pairs = tuple((shortened(prompts[a].text), shortened(known[b].text)) for a, b in near[:SHOWN])
    return Fresh(prompts, len(fit), len(offered) - len(new), len(near), pairs)


def digest_of_prompts(prompts: Iterable[Prompt]) -> str:
    """Return one SHA-256 over prompts and everything that their scores depend on, in order."""
    return digest_of(
        [[p.text, p.reference, list(p.passages), [dict(t) for t in p.messages]] for p in prompts]
    )


def _too_few(available: int, wanted: int, repeated: int, source: str) -> DataError:
    least = max(wanted, FEWEST)
    also = f"; {repeated} more are prompts of the sweep" if repeated else ""
    hint = "name a file of prompts that the sweep never saw: --data FILE"
    if available >= FEWEST:
        hint += f"; or lower --n to at most {available}"
    return DataError(
        f"{available} fresh prompts are there, but {least} are needed{also}",
        source,
        hint,
        code="data-too-few",
    )
