from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from paretoflow.spec.tracking import (
    MlflowTrackerSpec,
    TensorboardTrackerSpec,
    TrackerSpec,
    WandbTrackerSpec,
)

READ: TypeAdapter[Any] = TypeAdapter(TrackerSpec)


def test_the_type_chooses_the_tracker() -> None:
    specs = [READ.validate_python({"type": tag}) for tag in ("tensorboard", "mlflow", "wandb")]
    kinds = [TensorboardTrackerSpec, MlflowTrackerSpec, WandbTrackerSpec]
    assert [type(spec) for spec in specs] == kinds


@pytest.mark.parametrize("key", ["api_key", "token", "password"])
def test_there_is_no_field_for_a_secret(key: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        READ.validate_python({"type": "wandb", key: "x"})


@pytest.mark.parametrize(
    "uri", ["https://me:hunter2@host:5000", "postgresql://me:hunter2@host/runs"]
)
def test_a_uri_with_a_password_is_refused_with_where_to_put_it(uri: str) -> None:
    with pytest.raises(ValidationError) as caught:
        MlflowTrackerSpec(type="mlflow", uri=uri)
    (fault,) = caught.value.errors()
    assert "MLFLOW_TRACKING_PASSWORD" in fault["msg"]
    assert "hunter2" not in fault["msg"]


@pytest.mark.parametrize("uri", ["http://host:5000", "sqlite:///runs/mlflow.db"])
def test_a_uri_without_a_password_is_taken(uri: str) -> None:
    assert MlflowTrackerSpec(type="mlflow", uri=uri).uri == uri
