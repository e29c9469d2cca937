"""Strict models of KubeRay manifests: a field that KubeRay does not have is refused.

KubeRay publishes no client library on PyPI, so its own fields are listed here, by name and type:
those of `RayClusterSpec` as in the custom resource definition ray.io_rayclusters.yaml of the
repository ray-project/kuberay (Apache-2.0) at commit 017710c025a8, later than v1.6; those of
`RayJobSpec` as in its docs/reference/api.md at commit 0057210ed5a9, and the sidecar mode of v1.5.

The pod templates, nine tenths of those definitions, are Kubernetes' own: they are checked against
lightkube-models' classes, which are generated from Kubernetes' API. Defaults, descriptions,
`status`, and the content of fields that no manifest here uses (`dict[str, Any]`) are left out.
"""

# ruff: noqa: N815 - the fields have KubeRay's names

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from lightkube.models import core_v1
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Strings = dict[str, str]


def faults(value: Any, kind: Any, path: str = "") -> Iterator[str]:
    """Yield differences of plain values from a class of lightkube-models."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        kinds = [k for k in inner if k is not type(None)]
        if not any(not list(faults(value, k, path)) for k in kinds):
            yield from faults(value, kinds[0], path)
    elif dataclasses.is_dataclass(kind):
        yield from _fields(value, typing.cast("type", kind), path)
    elif origin is list:
        if not isinstance(value, list):
            yield f"{path}: not a list"
        else:
            for index, entry in enumerate(value):
                yield from faults(entry, inner[0], f"{path}[{index}]")
    elif origin is dict or kind is dict:
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            yield f"{path}: not a mapping to texts"
    elif kind in (str, int, bool) and type(value) is not kind:
        yield f"{path}: not of type {kind.__name__}"


def _fields(value: Any, kind: type, path: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{path}: not a mapping"
        return
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        needed = field.default is field.default_factory is dataclasses.MISSING
        if needed and field.name not in value:
            yield f"{path}.{field.name}: missing"
    for key, entry in value.items():
        if key not in hints:
            yield f"{path}.{key}: no such field"
        else:
            yield from faults(entry, hints[key], f"{path}.{key}")


def _pod(value: Any) -> Any:
    if found := list(faults(value, core_v1.PodTemplateSpec, "template")):
        raise ValueError("; ".join(found))
    return value


PodTemplate = Annotated[dict[str, Any], BeforeValidator(_pod)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(_Strict):
    name: str = Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)
    namespace: str | None = None
    labels: Strings = {}
    annotations: Strings = {}


class AuthOptions(_Strict):
    mode: Literal["disabled", "token"] | None = None
    enableK8sTokenAuth: bool | None = None


class AutoscalerOptions(_Strict):
    resources: dict[str, Any] | None = None
    image: str | None = None
    imagePullPolicy: str | None = None
    securityContext: dict[str, Any] | None = None
    idleTimeoutSeconds: int | None = None
    upscalingMode: Literal["Default", "Aggressive", "Conservative"] | None = None
    version: Literal["v1", "v2"] | None = None
    env: list[dict[str, Any]] | None = None
    envFrom: list[dict[str, Any]] | None = None
    volumeMounts: list[dict[str, Any]] | None = None


class HeadGroup(_Strict):
    template: PodTemplate
    rayStartParams: Strings | None = None
    headService: dict[str, Any] | None = None
    serviceType: str | None = None
    enableIngress: bool | None = None
    labels: Strings | None = None
    resources: Strings | None = None


class ScaleStrategy(_Strict):
    workersToDelete: list[str] | None = None


class WorkerGroup(_Strict):
    groupName: str
    template: PodTemplate
    replicas: int | None = None
    minReplicas: int | None = None
    maxReplicas: int | None = None
    idleTimeoutSeconds: int | None = None
    numOfHosts: int | None = None
    rayStartParams: Strings | None = None
    labels: Strings | None = None
    resources: Strings | None = None
    scaleStrategy: ScaleStrategy | None = None
    suspend: bool | None = None


class UpgradeStrategy(_Strict):
    type: Literal["Recreate", "None"] | None = None


class RayClusterSpec(_Strict):
    headGroupSpec: HeadGroup
    workerGroupSpecs: list[WorkerGroup] = []
    rayVersion: str | None = None
    authOptions: AuthOptions | None = None
    autoscalerOptions: AutoscalerOptions | None = None
    enableInTreeAutoscaling: bool | None = None
    gcsFaultToleranceOptions: dict[str, Any] | None = None
    headServiceAnnotations: Strings | None = None
    managedBy: Literal["ray.io/kuberay-operator", "kueue.x-k8s.io/multikueue"] | None = None
    suspend: bool | None = None
    ttlSecondsAfterIdle: int | None = Field(None, ge=0)
    upgradeStrategy: UpgradeStrategy | None = None


class RayCluster(_Strict):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayCluster"]
    metadata: Metadata
    spec: RayClusterSpec


class RayJobSpec(_Strict):
    entrypoint: str | None = None
    rayClusterSpec: RayClusterSpec | None = None
    activeDeadlineSeconds: int | None = None
    backoffLimit: int | None = None
    clusterSelector: Strings | None = None
    deletionStrategy: dict[str, Any] | None = None
    entrypointNumCpus: float | None = None
    entrypointNumGpus: float | None = None
    entrypointResources: str | None = None
    jobId: str | None = None
    managedBy: Literal["ray.io/kuberay-operator", "kueue.x-k8s.io/multikueue"] | None = None
    metadata: Strings | None = None
    runtimeEnvYAML: str | None = None
    shutdownAfterJobFinishes: bool | None = None
    submissionMode: Literal["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"] | None = (
        None
    )
    submitterConfig: dict[str, Any] | None = None
    submitterPodTemplate: PodTemplate | None = None
    suspend: bool | None = None
    ttlSecondsAfterFinished: int | None = None


class RayJob(_Strict):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: Metadata
    spec: RayJobSpec
