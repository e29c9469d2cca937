"""Start a local Ray, or join a cluster; failures are reported without a traceback."""

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
"""Size of Ray's object store, which carries only messages: results go through storage."""
KNOCK_S = 10.0
"""Longest time for a head to accept a connection, in seconds."""
IDLE_WORKERS = ("RAY_enable_worker_prestart", "RAY_prestart_worker_first_driver")
"""Ray's flags for worker processes that start before anyone asks: none of ours would be used."""
_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}


def start_local(engine: EngineSpec, namespace: str) -> None:
    """Start a Ray on this machine that ends with this process.

    Raises:
        ClusterError: If it does not start: its processes died, or the machine lacks resources.
    """
    _set_environment()
    for flag in IDLE_WORKERS:
        os.environ.setdefault(flag, "0")
    # a logical count: worker groups may share cores if the user configures it
    wanted = engine.worker_groups * engine.resources.ranks * engine.resources.cpus_per_rank
    try:
        with _in_sessions_of_their_own():
            ray.init(
                address="local",  # overrides RAY_ADDRESS
                num_cpus=max(os.cpu_count() or 1, math.ceil(wanted)),
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                namespace=namespace,
                **_QUIET,
            )
    except Exception as error:  # Ray raises the bare class, and errors of its parts
        raise ClusterError(
            f"the local Ray did not start: {first_line(error)}",
            "ray",
            "look for free memory and for space below /tmp and /dev/shm, then give the same "
            "command again; Ray's own log is /tmp/ray/session_latest/logs",
            code="cluster-unreachable",
        ) from error


@contextmanager
def _in_sessions_of_their_own() -> Iterator[None]:
    """Keep the processes that Ray starts out of this process' group.

    `timeout`, batch systems and terminals signal the group: Ray's processes would end first, and no
    run could be saved any more. Ray has no option for it. Its processes still end with this one in
    any case, because Ray makes the kernel end them.
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
        namespace: Ray namespace for names that are looked up without one.
        address: `auto` (the cluster of this machine or job) or `host:port` of the head's GCS.

    Raises:
        ClusterError: If there is no cluster, or it refuses access.
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
    """Return the error for the user.

    Args:
        address: Address from the user.
        error: Error of Ray.
        known: Whether a process listens at the address.
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
    """Connect once to detect early that no process listens: Ray itself retries for minutes.

    Returns:
        True if the address names a port, and a process listens at it.

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
