"""A Hugging Face data set: a hub id, or a folder written by `save_to_disk`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from paretoflow.core.errors import DataError, MissingExtraError
from paretoflow.data.bad_rows import Row
from paretoflow.data.prompts import Pools, RenderChat
from paretoflow.data.rows import RowReader
from paretoflow.data.saved import is_saved
from paretoflow.spec.data import HubDataSpec
from paretoflow.spec.data_given import GivenSource

AnyHub = HubDataSpec | GivenSource


def read(spec: HubDataSpec, render_chat: RenderChat | None) -> Pools:
    """Load one split; credentials for private data come from the environment.

    Raises:
        DataError: If there is no such data set or split, or the hub cannot be reached.
        MissingExtraError: If the datasets library is not installed.
    """
    reader = RowReader(spec, render_chat)
    return reader.pools(spec.path, rows_of(spec))


def rows_of(spec: AnyHub) -> Iterator[Row]:
    """Yield the rows of a split, each with its number; see `read` for what it refuses."""
    # a saved data set may be set to return numpy or torch arrays
    for number, row in enumerate(_split(spec).with_format(None), start=1):
        yield f"{spec.path} ({spec.split}) row {number}", row


def _split(spec: AnyHub) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError.of("data.type hub", "datasets", "train") from error
    try:
        if not is_saved(spec.path):
            below = getattr(spec, "data_dir", None)
            more = {} if below is None else {"data_dir": below}
            return datasets.load_dataset(
                spec.path, name=spec.config, split=spec.split, revision=spec.revision, **more
            )
        saved = datasets.load_from_disk(spec.path)
    except ConnectionError as error:
        hint = (
            "check the name and the network, or name a folder written by save_to_disk in data.path"
        )
        raise DataError(
            f"the hub cannot be reached: {error}", spec.path, hint, code="data-not-found"
        ) from error
    except (OSError, ValueError) as error:
        hint = "check data.path, data.config, data.split and data.revision"
        raise DataError(
            f"cannot be loaded: {error}", spec.path, hint, code="data-unreadable"
        ) from error
    return _saved_split(saved, spec)


def _saved_split(saved: Any, spec: AnyHub) -> Any:
    if not isinstance(saved, dict):  # the folder of a single split has no split name
        return saved
    if spec.split not in saved:
        hint = f"the folder holds {', '.join(sorted(saved))}"
        raise DataError(f"no split {spec.split!r}", spec.path, hint, code="data-not-found")
    return saved[spec.split]
