"""Load a YAML as `SweepSpec`; report all faults at once, each with file, line and column.

Order: text to values with places (`reader`), overrides on top (`overrides`), each field by pydantic
(`faults`), rules between fields (`rules`). A rule checks the valid parts, even when others are
invalid.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from paretoflow.core.errors import SpecError
from paretoflow.spec.draft import SECTIONS, Draft
from paretoflow.spec.faults import faults_of
from paretoflow.spec.objectives import ObjectiveSpec
from paretoflow.spec.overrides import apply_overrides
from paretoflow.spec.paths import expand_paths
from paretoflow.spec.positions import Document, Fault, Place, shown
from paretoflow.spec.reader import read_yaml
from paretoflow.spec.renamed import rename_keys
from paretoflow.spec.rules import faults_in
from paretoflow.spec.shape import nearest
from paretoflow.spec.sweep import SweepSpec
from paretoflow.spec.uris import path_fault

MAX_BYTES = 1 << 20
"""Maximum size of a sweep YAML."""


def load_spec(
    path: Path,
    overrides: Sequence[str] = (),
    storage: str | None = None,
    *,
    files: bool = True,
    simulated: bool = False,
) -> SweepSpec:
    """Read a sweep YAML.

    Args:
        path: The file.
        overrides: Each as `a.b=value`; they replace the file's values in order.
        storage: Replaces the file's `storage`.
        files: Whether the files and folders in it must exist on this machine.
        simulated: Whether the sweep is simulated, without a base.

    Raises:
        SpecError: With every fault found in `faults`.
    """
    document = read_yaml(read_text(Path(path)), str(path))
    return _located(document, overrides, storage, files=files, simulated=simulated)[0]


def load_located(
    path: Path,
    overrides: Sequence[str] = (),
    storage: str | None = None,
    *,
    files: bool = True,
) -> tuple[SweepSpec, Document]:
    """Read a sweep YAML as `load_spec` does; also return the place of each value.

    Raises:
        SpecError: With every fault found in `faults`.
    """
    document = read_yaml(read_text(Path(path)), str(path))
    return _located(document, overrides, storage, files=files)


def load_spec_text(
    text: str,
    source_name: str,
    overrides: Sequence[str] = (),
    storage: str | None = None,
    *,
    files: bool = True,
    stored: bool = False,
) -> SweepSpec:
    """Read a sweep from YAML text; `source_name` stands for the file's name in messages.

    Paths are expanded, unless the spec is a `stored` one, whose paths are expanded already.

    Raises:
        SpecError: With every fault found in `faults`.
    """
    document = read_yaml(text, source_name)
    return _located(document, overrides, storage, files=files, stored=stored)[0]


def _located(
    document: Document,
    overrides: Sequence[str],
    storage: str | None,
    *,
    files: bool,
    stored: bool = False,
    simulated: bool = False,
) -> tuple[SweepSpec, Document]:
    if not isinstance(document.value, dict):
        empty = document.value is None and not document.faults
        got = f"got {shown(document.value)}; allowed: a mapping of keys"
        hint = "a sweep needs at least `name` and `objectives`; jobs/quickstart.yaml is an example"
        raise SpecError(
            "the file is empty" if empty else got,
            str(document.values[()]),
            hint,
            code="spec-wrong-type",
        )
    faults = rename_keys(document, warn=not stored)
    faults += apply_overrides(document, overrides)
    if storage is not None:
        document.put(("storage",), storage, Place("--storage"))
    faults += [] if stored else expand_paths(document)
    _require_unicode(document, storage)
    spec, field_faults = _validate(document)
    draft = Draft.of(spec) if spec else _draft_of_values(document.value, field_faults)
    # a value that could not be read is reported once
    lost = {fault.path for fault in document.faults}
    faults += [*document.faults, *(fault for fault in field_faults if fault.path not in lost)]
    faults += faults_in(draft, files=files, simulated=simulated)
    if spec is None or faults:
        raise error_of(document, faults)
    return spec, document


def _require_unicode(document: Document, storage: str | None) -> None:
    """Refuse invalid Unicode: paths from the command line or variables may hold any bytes."""
    try:
        json.dumps(document.value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        what, hint = path_fault(storage or "")
        if what:
            raise SpecError(what, "--storage", hint, code="spec-not-allowed") from error
        start = max(0, error.start - 40)
        told = ascii(str(error.object)[start : error.end])
        raise SpecError(
            f"bytes that are no UTF-8: {told}",
            str(document.values[()]),
            "write them otherwise",
            code="spec-syntax",
        ) from error


def _validate(document: Document) -> tuple[SweepSpec | None, list[Fault]]:
    # from JSON, strict mode takes lists for tuples and texts for enums, and coerces nothing else
    try:
        spec = SweepSpec.model_validate_json(json.dumps(document.value), strict=True)
    except ValidationError as error:
        return None, faults_of(error, document.value)
    return spec, []


def _draft_of_values(value: dict[str, Any], faults: Sequence[Fault]) -> Draft:
    """Build the rules' input from the parts without faults."""
    faulty = {fault.path[:1] for fault in faults} | {fault.path[:2] for fault in faults}
    sections: dict[str, Any] = {}
    for key in SECTIONS:
        if (key,) in faulty:
            continue
        field = SweepSpec.model_fields[key]
        if key in value:
            sections[key] = _part(field.annotation, value[key])
        else:
            sections[key] = field.get_default(call_default_factory=True)
    entries = value.get("objectives")
    objectives = tuple(
        (index, _part(ObjectiveSpec, item))
        for index, item in enumerate(entries if isinstance(entries, list) else [])
        if ("objectives", index) not in faulty
    )
    return Draft(objectives, **sections)


def _part(annotation: Any, value: Any) -> Any:
    # every union here has `type` as its discriminator
    return TypeAdapter(annotation).validate_json(json.dumps(value), strict=True)


def error_of(document: Document, faults: Sequence[Fault]) -> SpecError:
    """Return all faults of a document as one error, in the order of their places."""
    ordered = sorted(
        faults, key=lambda fault: (document.place(fault).line == 0, document.place(fault))
    )
    errors = tuple(dict.fromkeys(map(str, map(document.error, ordered))))
    by_text = {str(error): error for error in map(document.error, ordered)}
    return _together([by_text[text] for text in errors], document.source)


def require_valid(spec: SweepSpec, *, simulated: bool = False) -> None:
    """Refuse a spec that was built in Python and breaks a rule; YAMLs are checked on reading.

    Args:
        spec: The whole spec.
        simulated: Whether the sweep is simulated, without a base.

    Raises:
        SpecError: With every fault found in `faults`, each with its key.
    """
    faults = dict.fromkeys(faults_in(Draft.of(spec), files=False, simulated=simulated))
    if faults:
        errors = [f.plain_error() for f in faults]
        raise _together(errors, spec.name)


def _together(errors: Sequence[SpecError], source: str) -> SpecError:
    if len(errors) == 1:
        return errors[0]
    listed = "".join(f"\n  {error}" for error in errors)
    return SpecError(f"{len(errors)} faults{listed}", source, "", tuple(errors))


def read_text(path: Path) -> str:
    """Return a YAML file's text.

    Raises:
        SpecError: If the file cannot be read, is no text, or is too large.
    """
    if path.is_dir():
        names = ", ".join(sorted(p.name for p in path.glob("*.y*ml"))[:5])
        hint = f"name a YAML in it: {names}" if names else "name a sweep YAML"
        raise SpecError("got a folder; allowed: a file", str(path), hint, code="spec-unusable-file")
    if not path.exists():
        found = [*path.parent.glob("*.y*ml"), *Path("jobs").glob("*.y*ml")]
        near = nearest(path.name, [str(p.name) for p in found])
        meant = next((str(p) for p in found if p.name == near), None)
        hint = (
            f"did you mean {meant}?"
            if meant
            else "give the path of a sweep YAML, for instance jobs/x.yaml"
        )
        raise SpecError("there is no such file", str(path), hint, code="spec-missing-file")
    try:
        return _text(path)
    except OSError as error:
        raise SpecError(
            f"cannot be read: {error.strerror}",
            str(path),
            "check its rights",
            code="spec-unusable-file",
        ) from None


def _text(path: Path) -> str:
    size = path.stat().st_size
    if size > MAX_BYTES:
        what = f"got {size} bytes; allowed: at most {MAX_BYTES}"
        raise SpecError(
            what,
            str(path),
            "give the sweep YAML, not the data that it names",
            code="spec-unusable-file",
        )
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        what = f"the byte 0x{raw[error.start]:02x} is not UTF-8"
        raise SpecError(
            what, f"{path}:{line}:1", "save the file as UTF-8", code="spec-syntax"
        ) from None
