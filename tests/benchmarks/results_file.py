"""Writes a benchmark's results: a table with the machine and the versions."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "ray",
    "pymoo",
    "moocore",
    "deltalake",
    "pyarrow",
    "numpy",
)


def machine() -> str:
    """Return one line on processor, cores, memory, GPUs that torch sees, and system."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            x.split(":", 1)[1].strip()
            for x in cpuinfo.read_text().splitlines()
            if x.startswith("model name")
        ]
        model = names[0] if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    host = f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB{_gpus()}, {platform.system()}"
    return f"{host}, Python {platform.python_version()}"


def _gpus() -> str:
    """Return the GPUs' names; nothing where the benchmark has not loaded torch."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return ""
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return "".join(f", {name}" for name in names)


def versions() -> str:
    """Return the versions of what the figures depend on."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def write_table(
    name: str,
    title: str,
    command: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    notes: str = "",
    *,
    quick: bool = False,
) -> None:
    """Print a table and write it to `results/<name>.md`; a quick try is only printed."""
    lines = [
        f"# {title}",
        "",
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}",
        "",
        machine(),
        "",
        versions(),
        "",
    ]
    lines += ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(str(v) for v in row) + " |" for row in rows]
    text = "\n".join([*lines, "", notes, ""]) if notes else "\n".join([*lines, ""])
    print(text)
    if not quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
