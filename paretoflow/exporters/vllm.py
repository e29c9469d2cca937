"""A front laid out for vLLM: adapters, the line that serves them, and who serves which preference.

vLLM itself is not needed to write it, and was not run on it.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paretoflow.core.errors import ModelError
from paretoflow.core.views import SweepView
from paretoflow.embedded import TINY_BASE_DIR
from paretoflow.exporters.adapters import copy_adapters
from paretoflow.exporters.layout import write_manifest, write_tables
from paretoflow.exporters.routing import routing_of, routing_table, servable
from paretoflow.exporters.table_files import write_table
from paretoflow.exporters.vllm_card import vllm_card
from paretoflow.exporters.writing import write_json, write_whole
from paretoflow.spec.exporters import VllmExportSpec

EMBEDDED_NAME = "paretoflow-embedded"
RANKS = (8, 16, 32, 64, 128, 256, 512)
"""Values of `--max-lora-rank` that every version of vLLM with that limit takes."""
MAX_LORAS = 8
"""Adapters in one batch at most: each takes GPU memory whether used or not."""


class VllmExporter:
    """Writes `adapters/`, `serve.sh`, the routing table and, for the embedded base, `base/`."""

    def __init__(self, spec: VllmExportSpec) -> None:
        self.spec = spec

    def export(
        self, view: SweepView, out: Path, picture: Callable[[], bytes], *, force: bool
    ) -> None:
        """Write the folder of a view; see `Exporter`.

        Raises:
            ModelError: If no point has an adapter, or one is of a rank that vLLM does not serve.
        """
        if not any(p.path for p in view.front.points):
            raise ModelError(
                "no point of the front has an adapter: there is nothing for vLLM to serve",
                view.root,
                "simulated sweeps have none; export the tables with --format parquet",
            )

        def fill(stage: Path) -> None:
            copy_adapters(view, stage / "adapters")
            if view.spec["model"]["type"] == "embedded":
                shutil.copytree(TINY_BASE_DIR, stage / "base")
            self._write(stage, view)
            (stage / "front.png").write_bytes(picture())
            tables = write_tables(stage, view, ".parquet", place="adapters/")
            write_manifest(stage, view, self.spec.type, tables, place="adapters/")

        write_whole(out, fill, force=force)

    @staticmethod
    def _write(stage: Path, view: SweepView) -> None:
        base, options = base_options(view.spec["model"])
        routing = routing_of(servable(view.front), base)
        write_json(stage / "routing.json", routing)
        write_table(routing_table(routing), stage / "routing.parquet")
        names = list(dict.fromkeys(p.adapter_name for p in view.front.points if p.path))
        command = serve_command(options, names, _rank(stage / "adapters"))
        script = stage / "serve.sh"
        script.write_text(
            "#!/bin/sh\n# Options given to this script come last, and so win.\n"
            f'cd "$(dirname "$0")" || exit 1\nexec {command} "$@"\n',
            encoding="utf-8",
        )
        script.chmod(0o755)
        text = vllm_card(view, command, routing)
        (stage / "README.md").write_text(text, encoding="utf-8")


def base_options(model: dict[str, Any]) -> tuple[str, list[str]]:
    """Return what requests call the base, and the words of the command that load it.

    A base in a local folder is named by its absolute path: the command runs in the export.
    """
    if model["type"] == "embedded":
        return EMBEDDED_NAME, ["./base", "--served-model-name", EMBEDDED_NAME]
    name = str(model["path"])
    words = [str(Path(name).absolute()) if Path(name).is_dir() else name]
    words += ["--served-model-name", name, "--dtype", str(model.get("dtype", "auto"))]
    if model.get("revision"):
        words += ["--revision", str(model["revision"])]
    if model.get("trust_remote_code"):
        words.append("--trust-remote-code")
    return name, words


def serve_command(base: list[str], names: list[str], rank: int) -> str:
    """Return the shell command that serves adapters on their base, one option or adapter to a line.

    Args:
        base: Words that load the base.
        names: Adapters, each in `adapters/<name>`.
        rank: The largest rank among them.

    Raises:
        ModelError: If vLLM does not serve adapters of that rank.
    """
    if rank > RANKS[-1]:
        raise ModelError(
            f"vLLM serves adapters up to rank {RANKS[-1]}, the front has one of rank {rank}",
            hint="export --format folder, and merge the adapter into its base",
        )
    options = [
        ["--enable-lora"],
        ["--max-lora-rank", str(next(r for r in RANKS if r >= rank))],
        ["--max-loras", str(min(MAX_LORAS, len(names)))],
        ["--max-cpu-loras", str(len(names))],
        ["--lora-modules"],
    ]
    modules = [[f"{name}=adapters/{name}"] for name in names]
    lines = [["vllm", "serve", *base], *options, *modules]
    return " \\\n  ".join(shlex.join(words) for words in lines)


def _rank(adapters: Path) -> int:
    """Return the largest LoRA rank among adapters.

    Raises:
        ModelError: If an adapter does not say its rank.
    """
    ranks: list[int] = []
    for adapter in sorted(adapters.iterdir()):
        try:
            config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
            ranks += [int(config["r"]), *(int(r) for r in config.get("rank_pattern", {}).values())]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"the adapter {adapter.name} does not say its LoRA rank: {error!r}",
                hint="only LoRA adapters can be served by vLLM",
            ) from error
    return max(ranks)
