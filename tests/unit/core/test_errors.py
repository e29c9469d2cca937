from __future__ import annotations

import pickle
import re
from collections.abc import Iterator

import pytest

from paretoflow.core import errors
from paretoflow.core.errors import ParetoflowError, SpecError, UserError


def _all(kind: type[ParetoflowError]) -> Iterator[type[ParetoflowError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _all(below)


TREE = sorted(set(_all(ParetoflowError)), key=lambda kind: kind.__name__)
LEAVES = [kind for kind in TREE if kind not in (ParetoflowError, UserError)]


@pytest.mark.parametrize("kind", TREE)
def test_every_error_survives_pickling(kind: type[ParetoflowError]) -> None:
    error = kind("got 3; allowed: 1 or 2", "jobs/x.yaml:14:9", "write 2")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.what, again.where, again.hint) == (error.what, error.where, error.hint)
    assert str(again) == str(error)


@pytest.mark.parametrize("kind", TREE)
def test_every_error_prints_where_what_and_hint(kind: type[ParetoflowError]) -> None:
    assert str(kind("got 3", "x.yaml:1:2", "write 2")) == "x.yaml:1:2: got 3 (write 2)"
    assert str(kind("got 3")) == "got 3"
    assert str(kind("got 3", hint="write 2")) == "got 3 (write 2)"


@pytest.mark.parametrize("kind", LEAVES)
def test_every_leaf_is_a_standard_error_too(kind: type[ParetoflowError]) -> None:
    standard = {ValueError, LookupError, OSError, ImportError, RuntimeError}
    assert any(issubclass(kind, s) for s in standard)


def test_the_tree_that_is_drawn_is_the_tree_that_is() -> None:
    name = r"^[ │├└─]*(\w+(?:Error|Interrupted))\b"
    drawn = set(re.findall(name, errors.__doc__ or "", re.MULTILINE))
    assert drawn == {kind.__name__ for kind in TREE}


def test_many_faults_of_a_spec_travel_together() -> None:
    faults = (SpecError("one", "x:1:1", "mend it"), SpecError("two", "x:2:1"))
    error = SpecError("2 faults", "x", faults=faults)
    again = pickle.loads(pickle.dumps(error))
    assert [str(f) for f in again.faults] == [str(f) for f in faults]
    alone = SpecError("one")
    assert alone.faults == (alone,)
