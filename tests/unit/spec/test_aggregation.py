"""What may stand under `method.aggregation`."""

from __future__ import annotations

import pytest

from paretoflow.core.errors import SpecError
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.methods.aggregators import LinearSpec, NormalizeThenSumSpec, PamaSpec
from paretoflow.spec.sweep import SweepSpec
from tests.faults import raises

SWEEP = "name: x\nobjectives:\n  - {name: a, type: length}\n  - {name: b, type: rouge}\n"


def loaded(method: str, rest: str = "") -> SweepSpec:
    return load_spec_text(f"{SWEEP}method: {method}\n{rest}", "job.yaml")


@pytest.mark.parametrize(
    ("method", "want"),
    [
        ("{type: grpo}", NormalizeThenSumSpec()),
        ("{type: rloo}", LinearSpec()),
        ("{type: grpo, aggregation: linear}", LinearSpec()),
        ("{type: rloo, aggregation: pama}", PamaSpec(type="pama")),
        (
            "{type: grpo, aggregation: {type: pama, noon: false}}",
            PamaSpec(type="pama", noon=False),
        ),
    ],
)
def test_a_bare_name_and_a_mapping_say_the_same(method, want):
    assert loaded(method).method.aggregation == want
    again = SweepSpec.model_validate(loaded(method).model_dump(mode="json"))
    assert again.method.aggregation == want


@pytest.mark.parametrize(
    ("aggregation", "words"),
    [
        ("chebyshef", ["'chebyshef'", "allowed: a mapping with `type`", "{type: chebyshev}"]),
        ("{type: pamma}", ["unknown type 'pamma'", "did you mean `pama`?"]),
        ("{type: maxmin, tau: 0}", ["got 0; allowed: more than 0"]),
        ("{type: log_sigmoid, ref_quantil: 0.5}", ["did you mean `ref_quantile`?"]),
    ],
)
def test_what_is_wrong_is_said_with_what_is_allowed(aggregation, words):
    with pytest.raises(SpecError) as caught:
        loaded(f"{{type: grpo, aggregation: {aggregation}}}")
    (fault,) = caught.value.faults
    text = f"{fault}"
    assert "job.yaml:5:" in text
    assert all(word in text for word in words), text


@pytest.mark.parametrize(("ranks", "zero"), [(2, 0), (1, 2)])
def test_gradients_of_objectives_are_taken_on_one_rank(ranks, zero):
    resources = f"engine: {{resources: {{ranks: {ranks}, zero: {zero}}}}}\n"
    with raises("spec-contradiction", "grad_dynamic") as caught:
        loaded("{type: grpo, aggregation: grad_dynamic}", resources)
    assert "hv_dynamic" in f"{caught.value.faults[0]}"
    assert loaded("{type: grpo, aggregation: grad_dynamic}").name == "x"
    assert loaded("{type: grpo, aggregation: hv_dynamic}", resources).name == "x"


def test_looks_are_counted():
    method = "{type: grpo, steps: 11, aggregation: {type: hv_dynamic, every: 5}}"
    assert loaded(method).method.looks == 2
    assert loaded("{type: grpo}").method.looks == 0
