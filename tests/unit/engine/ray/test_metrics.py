from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator

import pytest

from paretoflow.core.cost import Cost
from paretoflow.core.status import Boundary, RunStatus
from paretoflow.engine.live import GroupPhase, GroupState
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.tables import FrontRecord
from tests.unit.engine.telling import (
    CALIBRATED,
    base,
    done,
    failed,
    folded,
    opened,
    proposed,
    scored,
    started,
)

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""Value by name and the labels that are ours."""


def a_state() -> SweepState:
    """One run finished, one failed for good, one that will be tried again, one in training."""
    return folded(
        opened(),
        CALIBRATED,
        base(cost=Cost(1.0, 600.0, 3)),
        *(event for run in "abcd" for event in (proposed(run), started(run))),
        scored("a", (0.8, 4), cost=Cost(10.0, 1200.0, 30)),
        done("a"),
        failed("b", final=True),
        failed("c", final=False),
    )


def test_runs_and_failures_are_counted_under_every_name() -> None:
    pytest.importorskip("ray", reason="needs the extra `ray`")
    from paretoflow.engine.ray.metrics import failure_counts, run_counts

    state = a_state()
    boundary = state.runs["b"].boundary
    assert boundary is not None
    assert run_counts(state) == {
        **dict.fromkeys(RunStatus, 0),
        RunStatus.FINISHED: 1,
        RunStatus.FAILED: 1,
        RunStatus.PENDING: 1,
        RunStatus.RUNNING: 1,
    }
    assert failure_counts(state) == {**dict.fromkeys(Boundary, 0), boundary: 2}


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start a local Ray that reports often; return where its node serves Prometheus."""
    ray = pytest.importorskip("ray", reason="needs the extra `ray`")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    monkeypatch.setenv("RAY_metrics_report_interval_ms", "500")
    ray.init(
        "local",  # not another cluster that happens to run on this machine
        num_cpus=1,
        include_dashboard=False,
        object_store_memory=80 * 2**20,
        log_to_driver=False,
        logging_level="ERROR",
    )
    (node,) = ray.nodes()
    yield f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    ray.shutdown()


def scraped(address: str) -> Figures:
    """Return the figures of `demo` as Prometheus would read them."""
    from prometheus_client.parser import text_string_to_metric_families

    try:
        with urllib.request.urlopen(address, timeout=5) as response:
            text = response.read().decode()
    except OSError:  # the agent is not up yet
        return {}
    ours = {"status", "boundary", "phase", "le"}
    return {
        (
            sample.name,
            frozenset((k, v) for k, v in sample.labels.items() if k in ours),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("sweep") == "demo"
    }


@pytest.mark.full
@pytest.mark.ray
def test_prometheus_finds_every_figure_at_the_nodes_metrics_port(address: str) -> None:
    from paretoflow.engine.ray.metrics import SweepMetrics

    state = a_state()
    metrics = SweepMetrics("demo", price=2.0)
    phases = (GroupPhase.BUSY, GroupPhase.BUSY, GroupPhase.IDLE, GroupPhase.WAITING)
    metrics.update(state, [GroupState(slot, phase, 0.0) for slot, phase in enumerate(phases)])
    metrics.front(FrontRecord(0, 0.0, 1, 1, 0.5, 0.25, 0.75, (0.0, 10.0), ("x",), "d", "v"))
    metrics.decided(0.02)
    metrics.update(SweepState())  # too soon after the last: not taken in
    expected = {
        ("ray_paretoflow_runs", frozenset({("status", "finished")})): 1.0,
        ("ray_paretoflow_runs", frozenset({("status", "running")})): 1.0,
        ("ray_paretoflow_runs", frozenset({("status", "stopped")})): 0.0,
        ("ray_paretoflow_worker_groups", frozenset({("phase", "busy")})): 2.0,
        ("ray_paretoflow_evaluations", frozenset()): 2.0,
        ("ray_paretoflow_hypervolume", frozenset()): state.hypervolume,
        ("ray_paretoflow_hypervolume_low", frozenset()): 0.25,
        ("ray_paretoflow_hypervolume_high", frozenset()): 0.75,
        ("ray_paretoflow_front_size", frozenset()): float(state.front_size),
        ("ray_paretoflow_utilisation", frozenset()): 0.5,
        ("ray_paretoflow_queue", frozenset()): 1.0,
        ("ray_paretoflow_device_seconds", frozenset()): 1800.0,
        ("ray_paretoflow_tokens", frozenset()): 33.0,
        ("ray_paretoflow_cost", frozenset()): 1.0,
        ("ray_paretoflow_decision_seconds_count", frozenset()): 1.0,
        ("ray_paretoflow_decision_seconds_bucket", frozenset({("le", "0.01")})): 0.0,
        ("ray_paretoflow_decision_seconds_bucket", frozenset({("le", "0.03")})): 1.0,
    }
    until = time.monotonic() + 60
    found: Figures = {}
    while not expected.items() <= found.items() and time.monotonic() < until:
        time.sleep(0.25)
        found = scraped(address)
    assert {key: found.get(key) for key in expected} == pytest.approx(expected)
