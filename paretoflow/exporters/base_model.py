"""Where the base of an export is, in words that hold on every machine.

A base on the hub is its id and revision, the embedded one an import. One in a folder is wherever
its owner has it: exports leave the place out, and take it from the environment variable `BASE`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from paretoflow.core.views import SweepView

VARIABLE = "BASE"
"""Environment variable that names the folder of a base that is on no hub."""
EMBEDDED_NAME = "paretoflow-embedded"
LOCAL_NAME = "base"
"""What requests call a base that is on no hub."""
BASE_FILE = "base.json"
"""Beside PEFT's own files: name and digest of the base that the adapter was trained on."""


class BaseKind(StrEnum):
    """Where a base comes from."""

    EMBEDDED = "embedded"
    HUB = "hub"
    LOCAL = "local"


@dataclass(frozen=True)
class BaseModel:
    """The base that adapters of an export belong to.

    Args:
        path: Id on the hub, or the folder as the spec names it; empty for the embedded one.
        revision: As the spec pins it; empty for none.
        dtype: Precision that it was scored in; empty where the spec does not say.
        digest: As the adapters' `base.json` have it; empty where they have none.
        code: Whether code from its repository runs.
    """

    kind: BaseKind
    path: str = ""
    revision: str = ""
    dtype: str = ""
    digest: str = ""
    code: bool = False

    @property
    def name(self) -> str:
        """Return what requests and files call it."""
        named = {BaseKind.EMBEDDED: EMBEDDED_NAME, BaseKind.LOCAL: LOCAL_NAME}
        return named.get(self.kind, self.path)

    @property
    def recorded(self) -> str | None:
        """Return what an adapter's configuration may call it; None where no name leads to it."""
        return None if self.kind is BaseKind.LOCAL else self.name

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values that tell another machine which base it is."""
        return {
            "kind": self.kind.value,
            "name": self.name,
            "revision": self.revision or None,
            "dtype": self.dtype or None,
            "digest": self.digest or None,
        }


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
    )


def _is_local(path: str, root: str) -> bool:
    """Return whether a base's path is a folder, here or where the sweep was started."""
    if path.startswith(("/", ".", "~", "\\", "$")) or path.count("/") > 1 or "://" in path:
        return True
    beside = () if "://" in root else (Path(root).parent.parent / path,)
    return any(place.is_dir() for place in (Path(path), *beside))


def digest_in(adapter: Path) -> str:
    """Return the digest of the base that an adapter's folder names; empty where it names none."""
    try:
        found = json.loads((adapter / BASE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(found.get("digest") or "") if isinstance(found, Mapping) else ""


def base_lines(base: BaseModel) -> list[str]:
    """Return the Python lines that say where the base is and load it with its tokenizer."""
    if base.kind is BaseKind.EMBEDDED:
        return [
            "from paretoflow.embedded import TINY_BASE_DIR",
            "base = AutoModelForCausalLM.from_pretrained(TINY_BASE_DIR)",
            "tokenizer = AutoTokenizer.from_pretrained(TINY_BASE_DIR)",
        ]
    where = repr(base.path)
    lines = []
    if base.kind is BaseKind.LOCAL:
        known = f", its digest: {base.digest}" if base.digest else ""
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


def check_lines(base: BaseModel) -> list[str]:
    """Return Markdown on how to check the base's folder; none where a name leads to it."""
    if base.kind is not BaseKind.LOCAL:
        return []
    text = (
        f"The base model is on no hub. Set `{VARIABLE}` to its folder: "
        f"`export {VARIABLE}=/path/to/the/base`."
    )
    if not base.digest:
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
