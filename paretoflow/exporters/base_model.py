"""The base model of an export, named in a way that is valid on every machine.

A base on the hub is named by its id and revision, the embedded one by an import. A base in a folder
may be in another place on each machine: exports leave the place out, and read it from the
environment variable `BASE`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from paretoflow.core.views import SweepView
from paretoflow.lm.start_files import START

VARIABLE = "BASE"
"""Environment variable with the folder of a base that is on no hub."""
EMBEDDED_NAME = "paretoflow-embedded"
LOCAL_NAME = "base"
"""Name of a base that is on no hub, in requests."""
BASE_FILE = "base.json"
"""File beside PEFT's own: name and digest of the base that the adapter was trained on."""


class BaseKind(StrEnum):
    """Source of a base."""

    EMBEDDED = "embedded"
    HUB = "hub"
    LOCAL = "local"


@dataclass(frozen=True)
class BaseModel:
    """The base model of an export's adapters.

    Args:
        path: Id on the hub, or the folder as the spec names it; empty for the embedded one.
        revision: Revision pinned in the spec; empty for none.
        dtype: Precision during scoring; empty if the spec does not set it.
        digest: Digest in the adapters' `base.json`; empty if they have none.
        code: Whether code from its repository may run.
        start: Folder of the adapter that is merged into it, as code names it; empty for none.
        start_digest: Digest of that adapter in the adapters' `base.json`.
    """

    kind: BaseKind
    path: str = ""
    revision: str = ""
    dtype: str = ""
    digest: str = ""
    code: bool = False
    start: str = ""
    start_digest: str = ""

    @property
    def name(self) -> str:
        """Return its name in requests and files."""
        if self.start:  # it is not the model of that name
            return LOCAL_NAME
        named = {BaseKind.EMBEDDED: EMBEDDED_NAME, BaseKind.LOCAL: LOCAL_NAME}
        return named.get(self.kind, self.path)

    @property
    def recorded(self) -> str | None:
        """Return its name in an adapter's configuration; None if no name leads to it."""
        return None if self.kind is BaseKind.LOCAL or self.start else self.name

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values that identify the base on another machine."""
        return {
            "kind": self.kind.value,
            "name": self.name,
            "revision": self.revision or None,
            "dtype": self.dtype or None,
            "digest": self.digest or None,
            **self._start_facts(),
        }

    def _start_facts(self) -> dict[str, Any]:
        if not self.start:
            return {}
        merged_into = self.path if self.kind is BaseKind.HUB else None
        return {"start_adapter": self.start_digest or None, "merged_into": merged_into}


def base_of(view: SweepView) -> BaseModel:
    """Return the base of a sweep."""
    model = view.spec["model"]
    if model["type"] == "embedded":
        return BaseModel(BaseKind.EMBEDDED)
    path = str(model["path"])
    kind = BaseKind.LOCAL if _is_local(path, view.root) else BaseKind.HUB
    return BaseModel(
        kind,
        path,
        str(model.get("revision") or ""),
        str(model.get("dtype") or ""),
        code=bool(model.get("trust_remote_code")),
        start=START if model.get("adapter") else "",
    )


def _is_local(path: str, root: str) -> bool:
    """Return whether a base's path is a folder, here or on the machine that started the sweep."""
    if path.startswith(("/", ".", "~", "\\", "$")) or path.count("/") > 1 or "://" in path:
        return True
    beside = () if "://" in root else (Path(root).parent.parent / path,)
    return any(place.is_dir() for place in (Path(path), *beside))


def digest_in(adapter: Path, key: str = "digest") -> str:
    """Return the digest of the base in an adapter's folder; empty if there is none.

    Args:
        adapter: The folder.
        key: `start` for that of the adapter that was merged into the base.
    """
    try:
        found = json.loads((adapter / BASE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(found.get(key) or "") if isinstance(found, Mapping) else ""


def base_lines(base: BaseModel) -> list[str]:
    """Return Python lines that name the base and load it with its tokenizer."""
    if base.kind is BaseKind.EMBEDDED:
        return [
            "from paretoflow.embedded import TINY_BASE_DIR",
            "base = AutoModelForCausalLM.from_pretrained(TINY_BASE_DIR)",
            "tokenizer = AutoTokenizer.from_pretrained(TINY_BASE_DIR)",
        ]
    where = repr(base.path)
    lines = []
    if base.kind is BaseKind.LOCAL:
        known = f", its digest: {base.digest}" if base.digest and not base.start else ""
        where = f'os.environ["{VARIABLE}"]'
        lines = ["import os", f"# {VARIABLE}: the folder of the base model{known}"]
    options = f", revision={base.revision!r}" if base.revision else ""
    options += ", trust_remote_code=True" if base.code else ""
    precision = f', dtype="{base.dtype}"' if base.dtype else ""
    return [
        *lines,
        f"base = AutoModelForCausalLM.from_pretrained({where}{options}{precision})",
        f"tokenizer = AutoTokenizer.from_pretrained({where}{options})",
    ]


def merge_lines(where: str) -> list[str]:
    """Return Python lines that merge the adapter at a place into the loaded base.

    They are the operations of `lm.start_adapter`, and give the same weights.
    """
    return [
        "# the runs were trained on the base with this adapter merged into it",
        f"base = PeftModel.from_pretrained(base, {where}).merge_and_unload(safe_merge=True)",
    ]


def check_lines(base: BaseModel) -> list[str]:
    """Return Markdown lines on how to check the base's folder; none if the base has a name."""
    if base.kind is not BaseKind.LOCAL:
        return []
    text = (
        f"The base model is on no hub. Set `{VARIABLE}` to its folder: "
        f"`export {VARIABLE}=/path/to/the/base`."
    )
    if not base.digest or base.start:
        return [text, ""]
    spec = f'PretrainedModelSpec(type="pretrained", path=os.environ["{VARIABLE}"], '
    spec += f'dtype="{base.dtype or "bfloat16"}", device="cpu")'
    return [
        f"{text} These adapters belong to the one with this digest:",
        "",
        "```console",
        "$ python -c 'import os; from paretoflow.lm.base import load_base; "
        "from paretoflow.spec.models import PretrainedModelSpec; "
        f"print(load_base({spec}).digest)'",
        base.digest,
        "```",
        "",
    ]
