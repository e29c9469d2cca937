"""Submit a sweep to a Ray cluster through its Jobs API, and follow or stop the job.

A job's name follows from the sweep's name and place, so a second submission finds the existing job.
Ray never reuses a name. When a job has ended, the next job of the sweep gets the next suffix: `-2`,
`-3`, …
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paretoflow import __version__
from paretoflow.core.errors import ClusterError, UserError
from paretoflow.core.ids import digest_of
from paretoflow.engine.cluster.dashboard import Dashboard
from paretoflow.storage.folder import place_of

LIVE = ("PENDING", "RUNNING")
FOLLOW_TRIES = 5
AGAIN_S = 1.0
_OVERRULES = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")
"""Variables that Ray's client prefers over its address argument."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Surrounding:
    """The runtime environment of a job.

    Args:
        working_dir: Folder that is uploaded and becomes the current folder of the job.
        image: Container image, in place of the nodes' own Python.
        env: Environment variables of the driver and the worker groups.
        accept_change: Whether the sweep continues although inputs that scores depend on changed.
        excludes: Patterns of files that are not uploaded, in .gitignore syntax.
    """

    working_dir: Path | None = None
    image: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    accept_change: bool = False
    excludes: tuple[str, ...] = ()

    def as_runtime_env(self) -> dict[str, Any]:
        """Return Ray's form of the runtime environment.

        Raises:
            UserError: If Ray does not support the combination.
        """
        if self.working_dir is not None and self.image is not None:
            raise UserError(
                "Ray takes a working directory or an image, not both",
                "--image",
                "put the files into the image",
                code="usage-option",
            )
        if self.working_dir is not None and not self.working_dir.is_dir():
            raise UserError(
                f"there is no folder {str(self.working_dir)!r}",
                "--working-dir",
                "name a folder",
                code="usage-missing-file",
            )
        found: dict[str, Any] = {"env_vars": dict(self.env)} if self.env else {}
        if self.working_dir is not None:
            found["working_dir"] = str(self.working_dir)
            if self.excludes:
                found["excludes"] = list(self.excludes)
        if self.image is not None:
            found["image_uri"] = self.image
        return found


@dataclass(frozen=True)
class JobEnd:
    """The end of a job.

    Args:
        status: SUCCEEDED, FAILED or STOPPED.
        message: Ray's message about the job.
        exit_code: Exit status of the driver; None where there is none.
    """

    status: str
    message: str
    exit_code: int | None


def environment(given: Sequence[str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Parse variables: `KEY=VALUE`, or `KEY` alone, which takes its value from this machine.

    Raises:
        UserError: If a name is invalid, or has no value here. The message never shows values.
    """
    found = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not _NAME.fullmatch(key):
            raise UserError(
                "a name of a variable has letters, digits and _ only",
                "--env",
                "write KEY=VALUE",
                code="usage-option",
            )
        if not equals and key not in environ:
            raise UserError(
                f"{key} is not set on this machine",
                "--env",
                f"export it, or write {key}=VALUE",
                code="usage-missing-file",
            )
        found[key] = value if equals else environ[key]
    return found


def job_name(sweep: str, uri: str) -> str:
    """Return the name of the first job of a sweep.

    Args:
        sweep: Name of the sweep.
        uri: Place of the sweep's folder.
    """
    return f"paretoflow-{sweep}-{digest_of(place_of(uri))[:8]}"


def entrypoint(uri: str, *, accept_change: bool = False) -> str:
    """Return the command that runs on the cluster."""
    words = ["python", "-m", "paretoflow.cli.main", "resume", uri, "--address", "auto"]
    return shlex.join([*words, "--accept-change"] if accept_change else words)


class Jobs:
    """The jobs of one sweep on a cluster.

    Args:
        dashboard: The head's dashboard, checked.
        sweep: Name of the sweep.
        uri: Place of the sweep's folder, as the cluster sees it.

    Raises:
        ClusterError: If Ray's client cannot reach the head.
    """

    def __init__(self, dashboard: Dashboard, sweep: str, uri: str) -> None:
        from ray.job_submission import JobSubmissionClient

        for module in ("dashboard_sdk", "job.sdk"):
            logging.getLogger(f"ray.dashboard.modules.{module}").setLevel(logging.WARNING)
        self._sweep = sweep
        self._uri = uri
        self._first = job_name(sweep, uri)
        self._where = dashboard.address
        with self._asking(), _without(_OVERRULES):
            self._client = JobSubmissionClient(
                dashboard.address, headers=dict(dashboard.token.headers)
            )

    def live(self) -> str | None:
        """Return the job that is pending or running; None where there is none."""
        return next((name for name, status in self._all().items() if status in LIVE), None)

    def submit(self, surrounding: Surrounding) -> tuple[str, bool]:
        """Submit the sweep, unless it has a live job; return the job, and whether it is new.

        Raises:
            ClusterError: If the cluster refuses.
            UserError: If Ray does not support the runtime environment.
        """
        there = self._all()
        for name, status in there.items():
            if status in LIVE:
                return name, False
        number = max((self._number(name) for name in there), default=0) + 1
        name = self._first if number == 1 else f"{self._first}-{number}"
        runtime_env = surrounding.as_runtime_env()
        try:
            with self._asking():
                self._client.submit_job(
                    entrypoint=entrypoint(self._uri, accept_change=surrounding.accept_change),
                    submission_id=name,
                    runtime_env=runtime_env,
                    metadata={
                        "sweep": self._sweep,
                        "storage": self._uri,
                        "paretoflow": __version__,
                    },
                )
        except ClusterError:
            if name in self._all():  # another machine submitted it first
                return name, False
            raise
        return name, True

    def follow(self, name: str, tell: Callable[[str], None]) -> JobEnd:
        """Stream a job's log to `tell` from its beginning until the job ends; return its end.

        Raises:
            ClusterError: If the connection is lost for good; the job continues.
        """
        told = 0
        for _ in range(FOLLOW_TRIES):
            told = asyncio.run(self._tail(name, tell, told))
            with self._asking():
                info = self._client.get_job_info(name)
            if info.status.value not in LIVE:
                # for a failed job Ray repeats the end of the log, which was streamed already
                message = (info.message or "").partition(", last available logs")[0]
                return JobEnd(info.status.value, message, info.driver_exit_code)
        raise ClusterError(
            f"the log of {name} breaks off again and again; the job goes on",
            self._where,
            "the same command follows it again; `paretoflow status` needs the storage only",
            code="cluster-unreachable",
        )

    def stop(self, name: str) -> bool:
        """Make Ray end a job, by force after some seconds; return whether the job still ran."""
        with self._asking():
            return bool(self._client.stop_job(name))

    async def _tail(self, name: str, tell: Callable[[str], None], told: int) -> int:
        """Stream the log after its first `told` characters; return how many are streamed now."""
        import aiohttp

        seen = 0
        try:
            async for part in self._client.tail_job_logs(name):
                news = part[max(0, told - seen) :]
                seen += len(part)
                if news:
                    tell(news)
        except (RuntimeError, aiohttp.ClientError):
            await asyncio.sleep(AGAIN_S)  # the connection broke; the job may still run
        return max(seen, told)

    def _all(self) -> dict[str, str]:
        """Return the status of every job of the sweep, by name."""
        with self._asking():
            jobs = self._client.list_jobs()
        return {
            j.submission_id: j.status.value
            for j in jobs
            if j.submission_id and self._number(j.submission_id)
        }

    def _number(self, name: str) -> int:
        """Return the number of a job of this sweep from its name, from 1; 0 for other jobs."""
        if name == self._first:
            return 1
        suffix = name.removeprefix(f"{self._first}-")
        return int(suffix) if suffix != name and suffix.isdigit() else 0

    @contextmanager
    def _asking(self) -> Iterator[None]:
        from ray.exceptions import AuthenticationError

        try:
            yield
        except AuthenticationError as error:
            hint = "on the head, `ray get-auth-token` prints the right one"
            raise ClusterError(
                "the cluster refuses the token", self._where, hint, code="cluster-token"
            ) from error
        except (RuntimeError, OSError, ValueError) as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            hint = "the head's log, dashboard.log, may say more"
            raise ClusterError(
                f"Ray refuses: {said[-1][:300]}", self._where, hint, code="cluster-refused"
            ) from error


@contextmanager
def _without(names: Sequence[str]) -> Iterator[None]:
    """Remove environment variables during a block."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
