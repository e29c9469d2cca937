"""A whole sweep with judges at a local endpoint, cut off while one judges, without Ray."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.objectives.judged import Judged, spent_on_judges
from tests.judge_endpoint import by_length, judge_endpoint
from tests.unit.engine.small_sweep import small_sweep

pytestmark = pytest.mark.train
ALONE, AGAINST = 2, 3
EACH = (2 * 100 + 50 * 2) / 1e6


class Killed(BaseException):
    """The process ends."""


def _says(body: dict[str, Any]) -> str:
    asked = body["messages"][-1]["content"]
    if "<answer A>" not in asked:
        return by_length(body)
    a, b = (asked.split(f"<answer {n}>\n")[1].split(f"\n</answer {n}>")[0] for n in "AB")
    return "A" if len(a) > len(b) else "B"


def _driver(base: Path, home: Path, url: str) -> Any:
    from functools import partial

    from paretoflow.engine.loop.driver import Driver
    from paretoflow.engine.loop.hooks import Hooks
    from paretoflow.engine.runtime.executor import Executor
    from paretoflow.engine.session.folder import enter_folder, sweep_root
    from paretoflow.ledger import open_ledger
    from paretoflow.proposers import build
    from paretoflow.spec.sweep import SweepSpec
    from tests.benchmarks.methods.inline import InlineBackend

    method = {"type": "dpo", "steps": 2, "batch_size": 2}
    plain = small_sweep("judged", base, home, method).model_dump(mode="json")
    judge = {"type": "judge", "rubric": "Longer is better.", "model": "a-judge", "base_url": url}
    judge |= {"price": {"input": 2, "output": 50}, "concurrency": 2}
    plain["objectives"] += [
        {**judge, "name": "alone"},
        {**judge, "name": "against", "against": "base", "range": [0, 1]},
    ]
    plain["stop"] = {"runs": 1, "cost": 10}
    plain["proposer"] = {"type": "lattice"}
    spec = SweepSpec.model_validate(plain)
    root = sweep_root(spec)
    enter_folder(spec, root)
    proposer = build(spec.proposer, m=len(spec.objectives), runs=1)
    hooks = Hooks(judged=partial(spent_on_judges, root))
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    return Driver(spec, ledger, InlineBackend(Executor(spec, root, threads=1)), proposer, hooks)


def test_a_sweep_goes_on_without_paying_twice(
    tiny_base_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    kept: list[str] = []
    keep = Judged.keep

    def dying(self: Judged, verdict: Any) -> None:
        keep(self, verdict)
        kept.append(verdict.key)
        if len(kept) == 9:
            raise Killed

    with judge_endpoint(says=_says) as endpoint:
        first = _driver(tiny_base_dir, tmp_path, endpoint.url)
        with monkeypatch.context() as patched:
            patched.setattr(Judged, "keep", dying)
            with pytest.raises(Killed):
                first.run()
        assert len(kept) >= 9
        driver = _driver(tiny_base_dir, tmp_path, endpoint.url)
        driver.run()
        judged, replies = Counter(endpoint.judged()), endpoint.replies
    base, *others = driver.state.evaluations
    assert others
    assert np.all(base.prompt_scores[AGAINST] == 0.5)  # its own answers
    assert set(np.unique(others[-1].prompt_scores[AGAINST])) <= {0.0, 0.5, 1.0}
    assert max(judged.values()) == 1
    (root,) = tmp_path.rglob("judged/judged")
    files = [file.read_text() for file in root.rglob("*.jsonl")]
    rows = [json.loads(line) for text in files for line in text.splitlines()]
    assert sum(len(row["replies"]) for row in rows) == replies
    assert driver.state.judged == pytest.approx(replies * EACH)
