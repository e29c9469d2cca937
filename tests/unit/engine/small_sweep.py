"""A sweep on the tiny base that an executor takes seconds for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from paretoflow.spec.sweep import SweepSpec


def small_sweep(name: str, base: Path, home: Path, method: dict[str, Any]) -> SweepSpec:
    """Return a sweep of one run by the method, on prompts that are written into `home`."""
    data = home / "data.jsonl"
    data.write_text("".join(json.dumps({"prompt": f"Question {i}:"}) + "\n" for i in range(12)))
    return SweepSpec.model_validate(
        {
            "name": name,
            "storage": str(home),
            "model": {
                "type": "pretrained", "path": str(base), "dtype": "float32", "device": "cpu",
                "lora": {"rank": 2}, "generation": {"max_new_tokens": 8},
            },
            "data": {
                "type": "jsonl", "path": str(data), "train": 4, "eval": 4, "validation": 2,
                "candidates": 3,
            },
            "objectives": [
                {"name": "brevity", "type": "length", "direction": "minimize", "range": [0, 40],
                 "ref": 60},
                {"name": "vowels", "type": "regex", "pattern": "[aeiou]", "count": "all",
                 "range": [0, 30], "ref": -5},
            ],
            "method": method,
            "stop": {"runs": 1},
        }
    )  # fmt: skip
