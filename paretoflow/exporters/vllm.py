"""Exports a front for vLLM: adapters, the command that serves them, and a routing table.

Writing the export does not need vLLM, and does not run it; `make test-vllm` serves one.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

from paretoflow.core.errors import ModelError
from paretoflow.core.front_point import FrontPoint
from paretoflow.core.views import SweepView
from paretoflow.embedded import TINY_BASE_DIR
from paretoflow.exporters.adapters import copy_adapters, copy_files, with_start
from paretoflow.exporters.asking import Marks, asking_of, marks_of
from paretoflow.exporters.base_model import (
    EMBEDDED_NAME,
    VARIABLE,
    BaseKind,
    BaseModel,
    base_lines,
    merge_lines,
)
from paretoflow.exporters.layout import write_manifest, write_spec, write_tables
from paretoflow.exporters.routing import request_of, routing_of, routing_table, servable
from paretoflow.exporters.table_files import write_table
from paretoflow.exporters.vllm_card import vllm_card
from paretoflow.exporters.writing import write_json, write_text, write_whole
from paretoflow.lm.folded import fold
from paretoflow.spec.exporters import VllmExportSpec
from paretoflow.spec.served import RANKS

MERGE_FILE = "merge_base.py"
"""Program that writes the base that vLLM serves, where the runs start from an adapter."""
MERGED = "MERGED_BASE"
"""Environment variable with the folder that it wrote."""
MAX_LORAS = 8
"""Largest number of adapters in one batch: each takes GPU memory whether used or not."""


class VllmExporter:
    """Writes `adapters/`, `serve.sh`, the routing table and, for the embedded base, `base/`."""

    def __init__(self, spec: VllmExportSpec) -> None:
        self.spec = spec

    def export(
        self, view: SweepView, out: Path, picture: Callable[[], bytes], *, force: bool
    ) -> None:
        """Write the folder of a view; see `Exporter`.

        Raises:
            ModelError: If no point has an adapter, or vLLM would serve one differently from its
                evaluation.
        """
        if not any(p.path for p in view.front.points):
            raise ModelError(
                "no point of the front has an adapter: there is nothing for vLLM to serve",
                view.root,
                "simulated sweeps have none; export the tables with --format parquet",
                code="model-export",
            )
        for point in view.front.points:
            _require_words(point)

        def fill(stage: Path) -> None:
            base = copy_adapters(view, stage / "adapters")
            base = with_start(view, stage, base, "adapters")
            rank = max(fold(adapter) for adapter in sorted((stage / "adapters").iterdir()))
            if base.kind is BaseKind.EMBEDDED:
                copy_files(TINY_BASE_DIR, stage / "base")
            if base.start:
                write_text(stage / MERGE_FILE, merge_script(base))
            self._write(stage, view, base, rank)
            (stage / "front.png").write_bytes(picture())
            write_spec(stage, view)
            tables = write_tables(stage, view, ".parquet", place="adapters/")
            write_manifest(stage, view, self.spec.type, tables, "adapters/", base)

        write_whole(out, fill, force=force)

    @staticmethod
    def _write(stage: Path, view: SweepView, base: BaseModel, rank: int) -> None:
        asking = asking_of(view.spec)
        marks = Marks() if asking.chat else _marks(base)
        routing = routing_of(servable(view.front), base.name)
        table = routing.pop("table")
        routing["base"] = base.to_dict()
        routing["asked"] = asking.to_dict()
        routing["endpoint"] = "chat/completions" if asking.chat else "completions"
        routing["request"] = request_of(asking, marks)
        if not asking.chat:
            routing["prompt_marks"] = {"before": marks.before, "known": marks.known}
        routing["table"] = table
        write_json(stage / "routing.json", routing)
        write_table(routing_table(routing), stage / "routing.parquet")
        names = list(dict.fromkeys(p.adapter_name for p in view.front.points if p.path))
        command = serve_command(base_options(base), names, rank)
        script = stage / "serve.sh"
        write_text(
            script,
            "#!/bin/sh\n# Options given to this script come last, and so win.\n"
            f'cd "$(dirname "$0")" || exit 1\nexec {command} "$@"\n',
        )
        script.chmod(0o755)
        write_text(stage / "README.md", vllm_card(view, command, routing, base))


def _require_words(point: FrontPoint) -> None:
    """Refuse a point whose condition changes the model, which a request cannot do.

    Raises:
        ModelError: If the condition changes the model; names the change.
    """
    condition = dict(point.condition or {})
    draws = (condition.get("select") or {}).get("draws") or [condition]
    odd = {
        key
        for asked in draws
        if "prefix" not in asked
        for key in asked.keys() - {"temperature", "top_p", "select"}
    }
    if odd:
        raise ModelError(
            f"vLLM does not serve {point.snapshot_id} as it was evaluated: it is asked for by "
            f"{', '.join(sorted(odd))}, which no request can say",
            hint="serve it with transformers and PEFT: export --format folder",
            code="model-export",
        )


def _marks(base: BaseModel) -> Marks:
    """Return the marks before a plain prompt; from the tokenizer if it is available."""
    if base.kind is BaseKind.EMBEDDED:
        return Marks()  # its tokenizer adds no marks
    try:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(
            base.path,
            revision=base.revision or None,
            local_files_only=True,
            trust_remote_code=False,
        )
    except (ImportError, OSError, ValueError):
        return Marks(known=False)
    return marks_of(tokenizer)


def base_options(base: BaseModel) -> str:
    """Return the part of the command that loads the base."""
    if base.kind is BaseKind.EMBEDDED:
        return shlex.join(["./base", "--served-model-name", EMBEDDED_NAME])
    options = ["--served-model-name", base.name, "--dtype", base.dtype or "auto"]
    if base.revision and not base.start:
        options += ["--revision", base.revision]
    if base.code:
        options.append("--trust-remote-code")
    where = shlex.quote(base.path)
    if base.start:
        where = f'"${{{MERGED}:?set {MERGED} to the folder that {MERGE_FILE} wrote}}"'
    elif base.kind is BaseKind.LOCAL:
        where = f'"${{{VARIABLE}:?set {VARIABLE} to the folder of the base model, see README.md}}"'
    return f"{where} {shlex.join(options)}"


def merge_script(base: BaseModel) -> str:
    """Return the program that writes the base with the adapter merged that the runs start from."""
    lines = [
        f'"""Write the base of these adapters into a new folder: python {MERGE_FILE} FOLDER."""',
        "import sys",
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        *base_lines(base),
        *merge_lines(json.dumps(base.start)),
        "base.save_pretrained(sys.argv[1])",
        "tokenizer.save_pretrained(sys.argv[1])",
        f'print("export {MERGED}=" + sys.argv[1])',
    ]
    return "\n".join(lines) + "\n"


def serve_command(base: str | list[str], names: list[str], rank: int) -> str:
    """Return the shell command that serves adapters on their base, one option or adapter to a line.

    Args:
        base: Part of the command that loads the base: as one string, or as words.
        names: Names of the adapters, each in `adapters/<name>`.
        rank: The largest rank of an adapter.

    Raises:
        ModelError: If vLLM does not serve adapters of that rank.
    """
    if rank > RANKS[-1]:
        raise ModelError(
            f"vLLM serves adapters up to rank {RANKS[-1]}, the front has one of rank {rank}",
            hint="export --format folder, and merge the adapter into its base",
            code="model-export",
        )
    options = [
        ["--enable-lora"],
        ["--max-lora-rank", str(next(r for r in RANKS if r >= rank))],
        ["--max-loras", str(min(MAX_LORAS, len(names)))],
        ["--max-cpu-loras", str(len(names))],
        ["--lora-modules"],
    ]
    modules = [[f"{name}=adapters/{name}"] for name in names]
    first = base if isinstance(base, str) else shlex.join(base)
    lines = [f"vllm serve {first}", *(shlex.join(words) for words in [*options, *modules])]
    return " \\\n  ".join(lines)
