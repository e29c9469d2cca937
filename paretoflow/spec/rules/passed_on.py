"""Faults of arguments that are passed on to a library under the library's own names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from paretoflow.spec.faults import allowed_by, code_of
from paretoflow.spec.positions import Fault, shown
from paretoflow.spec.shape import KeyPath, nearest
from paretoflow.spec.synonyms import advice_on


@dataclass(frozen=True)
class Library:
    """The arguments of a library's class.

    Args:
        name: The class as users know it, for instance "TRL's DPOConfig".
        able: Arguments that are passed on, with their types; a mapping of types stands for a
            mapping.
        refused: The other arguments: the reason, or our key after `=`; of several, parted by `|`,
            the first that there is.
        lacking: Our keys that there are not, for instance a method without `method.beta`.
    """

    name: str
    able: Mapping[str, Any]
    refused: Mapping[str, str]
    lacking: Collection[str] = ()

    def faults(self, place: KeyPath, given: Mapping[str, Any]) -> Iterator[Fault]:
        """Yield the faults of the arguments under a key."""
        for name, value in given.items():
            if name not in self.able:
                yield self._refused((*place, name), name)
            else:
                yield from _typed((*place, name), value, self.able[name])

    def _refused(self, path: KeyPath, name: str) -> Fault:
        reason = self.refused.get(name)
        if reason is None:
            near = nearest(name, [*self.able, *self.refused])
            hint = advice_on(name, ()) or (f"did you mean `{near}`?" if near else "remove it")
            what = f"unknown argument `{name}` of {self.name}; allowed: {', '.join(self.able)}"
            return Fault(path, what, hint, at_key=True, code="spec-unknown-key")
        what, hint = f"`{name}` is not passed on to {self.name}: {reason}", "remove it"
        if reason.startswith("="):
            places = [p for p in reason[1:].split("|") if p not in self.lacking]
            what = f"`{name}` is not passed on: there is no such choice here"
            if places:
                what = f"`{name}` is not passed on: it is `{places[0]}` here"
                hint = f"write `{places[0]}`"
        return Fault(path, what, hint, at_key=True, code="spec-not-allowed")


def _typed(path: KeyPath, value: Any, kind: Any) -> Iterator[Fault]:
    if not isinstance(kind, Mapping):
        try:
            _adapter(kind).validate_python(value)
        except ValidationError as error:
            details = error.errors(include_url=False)
            allowed = " or ".join(dict.fromkeys(allowed_by(detail) for detail in details))
            what = f"got {shown(value)}; allowed: {allowed}"
            yield Fault(path, what, "correct the value", code=code_of(details))
    elif not isinstance(value, dict):
        what = f"got {shown(value)}; allowed: a mapping of {', '.join(kind)}"
        yield Fault(path, what, "correct the value", code="spec-wrong-type")
    else:
        for name, inner in value.items():
            if name in kind:
                yield from _typed((*path, name), inner, kind[name])
            else:
                what = f"unknown key `{name}`; allowed: {', '.join(kind)}"
                near = nearest(name, kind)
                hint = f"did you mean `{near}`?" if near else "remove it"
                yield Fault((*path, name), what, hint, at_key=True, code="spec-unknown-key")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind, config={"allow_inf_nan": False})
