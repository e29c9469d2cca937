from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paretoflow.methods.training.finite import finite_products
from tests.faults import raises

NAMES = ("a", "b", "c")


def test_finite_products_pass_as_they_are() -> None:
    products = np.diag([1.0, 0.0, 1e300])
    assert finite_products(products, NAMES, 3) is products


@pytest.mark.parametrize(
    ("places", "told"),
    [([(1, 1)], "of b is"), ([(0, 0), (2, 2)], "of a, c is"), ([(0, 1)], "of a, b, c is")],
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_whose_gradient_is_not_finite_is_told_with_its_step(
    places: list[tuple[int, int]], told: str, value: float
) -> None:
    products = np.eye(3)
    for place in places:
        products[place] = value
    with raises("training-not-finite", f" {told} ", "step 7"):
        finite_products(products, NAMES, 7)


@pytest.mark.train
@pytest.mark.parametrize("combiner", ["mgda", "cagrad", "linear"])
def test_a_run_whose_gradients_blow_up_ends_with_its_step(
    combiner: str, tiny_base_dir: Path, tmp_path: Path
) -> None:
    import torch

    from paretoflow.lm.base import load_folder
    from paretoflow.spec.methods import GradientDpoMethodSpec
    from tests.method_bench import make_context, train, weighted

    lm = load_folder(tiny_base_dir, name="own")
    context = make_context(lm)
    with torch.no_grad():
        lm.model.model.layers[0].mlp.up_proj.weight.fill_(float("nan"))
    spec = GradientDpoMethodSpec.model_validate(
        {"type": "gradient_dpo", "steps": 1, "batch_size": 4, "combiner": {"type": combiner}}
    )
    with raises("training-not-finite", "step 1"):
        train(context, spec, weighted(0.5, 0.3, 0.2), tmp_path)
