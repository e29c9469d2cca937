"""Labels of `engine.resources` are refused where Ray would refuse them, and only there."""

from __future__ import annotations

import pytest
from ray._private.label_utils import validate_label_selector

from paretoflow.spec.draft import Draft
from paretoflow.spec.engine import EngineSpec, ResourcesSpec
from paretoflow.spec.rules.engine import RULES

KEYS = [
    "a", "A-1_b.c", "a b", "", "-a", "a-", "é", "a" * 63, "a" * 64, "ray.io/accelerator-type",
    "ray.io/", "/a", "a..b/c", "a/b/c", "a./c", ".a/c", "x." * 130 + "y/z", "ray.io/node-id",
]  # fmt: skip
VALUES = [
    "", "H100", "!H100", "in(a, b)", "in(a,b)", "!in(a)", "in()", "in(a", "in(a;b)", "!!a", "a b",
    "(a, b)", "x" * 63, "x" * 64, "-a", "a.b_c-d", "é",
]  # fmt: skip


@pytest.mark.parametrize("labels", [*({k: "v"} for k in KEYS), *({"k": v} for v in VALUES)])
def test_labels_are_those_that_ray_takes(labels):
    draft = Draft(engine=EngineSpec(resources=ResourcesSpec(labels=labels)))
    refused = [fault for rule in RULES for fault in rule(draft)]
    assert bool(refused) == (validate_label_selector(labels) is not None)
