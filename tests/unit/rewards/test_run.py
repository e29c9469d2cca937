from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.ids import digest_of_folder
from paretoflow.core.protocols import Prompt
from paretoflow.objectives import build
from paretoflow.rewards.run import train_rewards
from paretoflow.spec.objectives import RewardModelObjectiveSpec
from tests.faults import raises
from tests.unit.rewards.conftest import rows

pytestmark = pytest.mark.train
REAL = Path(__file__).parents[4] / "shared/data/hh_harmless/train.jsonl.gz"


def test_two_heads_learn_what_conflicts_and_a_sweep_loads_them(
    make_spec: Any, tmp_path: Path
) -> None:
    told: list[Any] = []
    spec = make_spec(steps=25, batch_size=4, learning_rate=3e-3)
    full, brief = train_rewards(spec, told.append)
    assert (full.objective, full.folder, full.output) == ("full", "model", 0)
    assert (brief.objective, brief.folder, brief.output) == ("brief", "model", 1)
    assert (full.trained, full.held_out, brief.trained, brief.held_out) == (9, 3, 8, 2)
    assert full.accuracy == brief.accuracy == 1.0
    assert full.loss < 0.5
    assert [t.step for t in told] == list(range(1, 26))
    assert told[-1].loss < told[0].loss
    kept = json.loads((tmp_path / "out/metrics.json").read_text())
    assert kept["rewards"] == [full.to_dict(), brief.to_dict()]
    scores = []
    for output in (0, 1):
        named = {"type": "reward_model", "name": "r", "path": f"{spec.output}/model"}
        objective = build(RewardModelObjectiveSpec.model_validate(named | {"output": output}))
        prompts = [Prompt("p", "Question 77:")] * 2
        scores.append(objective.score(prompts, ["No", "It is a list of keys."]))
    assert scores[0][1] > scores[0][0]
    assert scores[1][0] > scores[1][1]
    config = json.loads((tmp_path / "out/model/config.json").read_text())
    assert config["id2label"] == {"0": "full", "1": "brief"}


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("changes", "folders"),
    [
        ({"outputs": "separate"}, [("full", 0), ("brief", 0)]),
        ({"outputs": "heads", "weighting": "more"}, [("model", 0), ("model", 1)]),
        ({"outputs": "one", "weighting": "more"}, [("model", 0), ("model", 0)]),
    ],
    ids=str,
)
def test_every_way_to_share_a_model(changes: Any, folders: Any, make_spec: Any) -> None:
    told: list[Any] = []
    found = train_rewards(make_spec(steps=2, **changes), told.append)
    assert [(m.folder, m.output) for m in found] == folders
    steps = 4 if changes["outputs"] == "separate" else 2
    assert [(t.step, t.steps) for t in told] == [(i + 1, steps) for i in range(steps)]


def test_the_same_seed_gives_the_same_files(make_spec: Any, tmp_path: Path) -> None:
    digests = []
    for name in ("first", "again"):
        spec = make_spec(output=str(tmp_path / name), steps=2)
        train_rewards(spec, lambda _: None)
        digests.append(digest_of_folder(tmp_path / name / "model"))
    assert digests[0] == digests[1]


def test_an_interruption_leaves_no_trace(make_spec: Any, tmp_path: Path) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    spec = make_spec(steps=2)
    with pytest.raises(KeyboardInterrupt):
        train_rewards(spec, interrupted)
    assert {p.name for p in tmp_path.iterdir()} == {"full.jsonl", "brief.jsonl"}
    train_rewards(spec, lambda _: None)
    before = digest_of_folder(tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        train_rewards(spec, interrupted, force=True)
    assert digest_of_folder(tmp_path / "out") == before
    with raises("usage-occupied", "already there"):
        train_rewards(spec, interrupted)
    train_rewards(spec.model_copy(update={"seed": 5}), lambda _: None, force=True)
    assert digest_of_folder(tmp_path / "out") != before
    assert len(list(tmp_path.iterdir())) == 3
    (tmp_path / "taken").mkdir()
    taken = spec.model_copy(update={"output": str(tmp_path / "taken")})
    with raises("usage-occupied", "rewards"):
        train_rewards(taken, interrupted, force=True)


def test_groups_of_annotators_become_objectives(make_spec: Any, write: Any, tmp_path: Path) -> None:
    found = [
        {**row, "annotator": f"{'brief' if not longer else 'full'}-{i % users}"}
        for longer, users, count in ((True, 6, 36), (False, 2, 12))
        for i, row in enumerate(rows(count, longer))
    ]
    spec = make_spec(pairs=[{"path": write("who.jsonl", found)}], groups={"count": 2}, steps=2)
    first, second = train_rewards(spec, lambda _: None)
    assert (first.objective, second.objective) == ("group_0", "group_1")
    assert first.trained + first.held_out == 36
    groups = json.loads((tmp_path / "out/annotators.json").read_text())
    assert groups == {f"full-{i}": 0 for i in range(6)} | {f"brief-{i}": 1 for i in range(2)}
    lonely = make_spec(pairs=[{"path": write("who.jsonl", found)}], groups={"count": 20})
    with raises("usage-option", "8 annotators", "make 20"):
        train_rewards(lonely.model_copy(update={"output": str(tmp_path / "x")}), lambda _: None)


@pytest.mark.skipif(not REAL.is_file(), reason="the real preference data are not on this machine")
def test_a_few_steps_on_real_pairs(make_spec: Any) -> None:
    spec = make_spec(
        pairs=[{"path": str(REAL), "objective": "harmless"}],
        columns={"prompt": None},
        held_out=0.02,
        steps=3,
    )
    (found,) = train_rewards(spec, lambda _: None)
    assert found.trained + found.held_out == 1800
    assert 0 <= found.accuracy <= 1
    assert np.isfinite([found.loss, found.ece]).all()
