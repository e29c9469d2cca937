"""Start a local Ray, or join a cluster; what goes wrong there is named, without a traceback."""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import ray
from ray._private import services
from ray.exceptions import AuthenticationError

from paretoflow.core.errors import ClusterError
from paretoflow.core.shown import first_line
from paretoflow.spec.engine import EngineSpec

OBJECT_STORE_BYTES = 128 * 2**20
"""Results go through storage: Ray's object store carries only messages."""
KNOCK_S = 10.0
"""How long a head may take to accept a connection."""
_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}


def start_local(engine: EngineSpec, namespace: str) -> None:
    """Start a Ray on this machine that ends with this process.

    Raises:
        ClusterError: If it does not start: its processes died, or the machine has no room for them.
    """
    _set_environment()
    # a logical count: worker groups may share cores, as the user asked for them
    wanted = engine.worker_groups * engine.resources.ranks * engine.resources.cpus_per_rank
    try:
        with _in_sessions_of_their_own():
            ray.init(
                address="local",  # whatever RAY_ADDRESS says
                num_cpus=max(os.cpu_count() or 1, math.ceil(wanted)),
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                namespace=namespace,
                **_QUIET,
            )
    except Exception as error:  # Ray raises the bare class, and whatever its parts raise
        raise ClusterError(
            f"the local Ray did not start: {first_line(error)}",
            "ray",
            "look for free memory and for space below /tmp and /dev/shm, then give the same "
            "command again; Ray's own log is /tmp/ray/session_latest/logs",
            code="cluster-unreachable",
        ) from error


@contextmanager
def _in_sessions_of_their_own() -> Iterator[None]:
    """Keep what Ray starts out of this process' group.

    `timeout`, batch systems and terminals signal the group: Ray's processes would go first, and no
    run could be saved any more. Ray has no option for it. Its processes still end with this one,
    however that ends: it has the kernel see to it.
    """
    starter = services.ConsolePopen
    services.ConsolePopen = partial(starter, start_new_session=True)
    try:
        yield
    finally:
        services.ConsolePopen = starter


def join(address: str, namespace: str) -> None:
    """Join a running cluster as a driver.

    Args:
        namespace: Ray's, for names that are looked up without one.
        address: `auto` (the one of this machine or job) or `host:port` of the head's GCS.

    Raises:
        ClusterError: If there is none, or it does not let us in.
    """
    _set_environment()
    if "://" in address:
        raise ClusterError(
            f"cannot drive a sweep through {address}",
            "--address",
            "use `paretoflow submit` with it, or HOST:6379 on a machine of the cluster",
            code="cluster-address",
        )
    known = False
    try:
        known = _knock(address)
        ray.init(address=address, namespace=namespace, **_QUIET)
    except (OSError, AuthenticationError, RuntimeError, ValueError) as error:
        raise _refusal(address, error, known=known) from error


def _refusal(address: str, error: Exception, *, known: bool) -> ClusterError:
    """Return what to tell.

    Args:
        address: As the user gave it.
        error: What Ray raised.
        known: Whether somebody listens there.
    """
    first = first_line(error)
    if isinstance(error, AuthenticationError) or (known and isinstance(error, OSError)):
        what = f"what listens at {address} does not let us in as a Ray head does: {first}"
        hint = "set RAY_AUTH_MODE and RAY_AUTH_TOKEN as on the cluster; its port is 6379 by default"
    elif isinstance(error, OSError):
        what = f"no Ray cluster answers at {address}: {first}"
        hint = "start one with `ray start --head`, or leave --address out to run on this machine"
    else:
        what = f"cannot join the Ray cluster at {address}: {first}"
        hint = "give HOST:PORT of the head, and run the versions of Python and Ray that it runs"
    return ClusterError(what, "--address", hint, code="cluster-unreachable")


def _knock(address: str) -> bool:
    """Find out soon that nobody is there: Ray itself goes on asking for minutes.

    Returns:
        Whether the address names a port, and somebody listens at it.

    Raises:
        OSError: If no connection can be made.
        ValueError: If the address has no port.
    """
    host, _, port = address.rpartition(":")
    if host:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_S):
            return True
    return False


def _set_environment() -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
