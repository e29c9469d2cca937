from __future__ import annotations

import pytest

pytest.importorskip("mo_gymnasium", reason="needs the extra `bench`")
pytest.importorskip("torch", reason="needs the extra `train`")

from tests.benchmarks.morl.__main__ import ARMS, COLUMNS, row, spec_of

TOLD = {
    "share": 0.9,
    "claimed": 0.95,
    "runs_to": [4, None],
    "runs": 10,
    "failed": 1,
    "steps": 1_500_000,
    "front": 7,
    "points": 5,
    "known_points": 10,
    "minutes": 3.2,
    "workers": 2,
}


def test_a_row_tells_all_seeds() -> None:
    cells = row("sea", "default", [TOLD, {**TOLD, "share": 1.0, "runs_to": [3, 9]}])
    assert len(cells) == len(COLUMNS)
    assert cells[2] == "0.950 (0.900 to 1.000), 2 seeds"
    assert cells[4:7] == ["7, 5 of 10", "4, never; 3, 9", "10, 2 failed"]
    assert cells[-1] == "3 on 2 processes"


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_changes_the_proposer_alone(arm: str, tmp_path) -> None:
    spec, job = (spec_of("minecart", a, 3, tmp_path) for a in (arm, "default"))
    assert spec.seed == job.seed == 3
    assert spec.method == job.method
    assert spec.stop == job.stop
    assert (spec.proposer == job.proposer) == (arm == "default")
