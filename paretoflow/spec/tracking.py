"""Experiment trackers that receive a sweep's progress, off by default.

Keys and passwords are never fields: each client reads its own environment variables.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from paretoflow.spec.base import Spec


class TensorboardTrackerSpec(Spec):
    """TensorBoard event files."""

    type: Literal["tensorboard"]
    folder: str = Field("tensorboard", min_length=1)
    """Folder of the event files, relative to the folder that the sweep is run in; each sweep has
    its own folder in it."""


class MlflowTrackerSpec(Spec):
    """An MLflow tracking server, or a SQLite file."""

    type: Literal["mlflow"]
    uri: str = Field("sqlite:///mlflow.db", min_length=1)
    """`http://host:5000`, or `sqlite:///path/to/file.db`. User, password and token come from
    MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD and MLFLOW_TRACKING_TOKEN."""
    experiment: str = Field("paretoflow", min_length=1)
    """Experiment of the sweep's run; created if missing."""

    @field_validator("uri")
    @classmethod
    def _no_password(cls, uri: str) -> str:
        if "@" in uri.partition("://")[2].partition("/")[0]:
            allowed = "a URI without user and password: those go into MLFLOW_TRACKING_USERNAME and "
            raise PydanticCustomError("no_secret", allowed + "MLFLOW_TRACKING_PASSWORD")
        return uri


class WandbTrackerSpec(Spec):
    """Weights & Biases; the key comes from WANDB_API_KEY or `wandb login`."""

    type: Literal["wandb"]
    project: str = Field("paretoflow", min_length=1)
    """Project of the sweep's run; created if missing."""
    entity: str | None = None
    """User or team that owns the project; unset: your default."""
    mode: Literal["online", "offline"] = "online"
    """`offline` writes to `folder` for a later `wandb sync`."""
    folder: str = Field("wandb", min_length=1)
    """Folder of the client's own files, relative to the folder that the sweep is run in."""


TrackerSpec = Annotated[
    TensorboardTrackerSpec | MlflowTrackerSpec | WandbTrackerSpec, Field(discriminator="type")
]
"""The union of all trackers, by tag."""
