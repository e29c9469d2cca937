"""Prompts: every source is brought into one schema and cut into three sets that share no prompt.

To add a source: join the union in `spec/data.py`, write `data/<tag>.py` with a function
`read(spec, render_chat) -> Pools`, add its line to `TAGS`, and an example to
`tests/contracts/test_data.py`. A source of rows only has to yield `(where, row)`; `rows.RowReader`
does the rest.

This package decides which prompts are drawn. The objectives score the answers.
"""

from __future__ import annotations

import importlib

from paretoflow.data.needs import NOTHING, Needs
from paretoflow.data.prompts import Pools, PromptSets, RenderChat, draw
from paretoflow.spec.data import DataSpec
from paretoflow.spec.data_given import PreferencesDataSpec, RatingsDataSpec

TAGS = {
    "pydoc": "paretoflow.data.pydoc:read",
    "jsonl": "paretoflow.data.jsonl:read",
    "parquet": "paretoflow.data.parquet:read",
    "hub": "paretoflow.data.hub:read",
    "preferences": "paretoflow.data.given:read",
    "ratings": "paretoflow.data.given:read",
}
"""Module of each source, imported on first use."""


def load_prompts(
    spec: DataSpec, *, seed: int, render_chat: RenderChat | None, needs: Needs = NOTHING
) -> PromptSets:
    """Read a source and draw the sets of a sweep from it.

    The sets depend on the data and the seed alone: neither the order of the rows, nor rows that
    repeat a prompt, nor the other sets' sizes change the eval set.

    Args:
        spec: The source, its columns and the sizes of the sets.
        seed: Seed of the sweep.
        render_chat: Renders chat turns up to where the answer begins; None for a model without a
            chat template.
        needs: The sweep's requirements on a prompt beside its text.

    Returns:
        Sets of exactly the sizes in the spec.

    Raises:
        DataError: If the source cannot be read, a row cannot be used and the spec allows none, or
            there are too few.
        MissingExtraError: If the source needs a library that is not installed.
    """
    if isinstance(spec, PreferencesDataSpec | RatingsDataSpec):
        from paretoflow.data.given import drawn, gathered

        return drawn(gathered(spec, render_chat, needs.objectives), spec, seed, needs)
    return draw(read_pools(spec, render_chat), spec, seed, needs.unfit)


def read_pools(spec: DataSpec, render_chat: RenderChat | None) -> Pools:
    """Read a source; see `load_prompts`."""
    module, function = TAGS[spec.type].split(":")
    pools: Pools = getattr(importlib.import_module(module), function)(spec, render_chat)
    return pools
