"""A prefix of a bucket in an object store: S3 and compatible stores, or Google Cloud Storage.

Settings and credentials are those of the AWS tools: `AWS_ENDPOINT_URL`, `AWS_REGION`,
`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, or a profile in `~/.aws`. Google
Cloud Storage uses the same code, with its own application credentials; it was never tested on a
real bucket.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs

from paretoflow.core.errors import StorageError
from paretoflow.core.shown import first_line
from paretoflow.spec.uris import uri_fault
from paretoflow.storage.patience import ATTEMPTS, Result, asked

_CONNECT_S = 5.0
_SILENT_S = 20.0
"""Seconds without a byte after which a request has failed."""


@dataclass(frozen=True)
class _Client:
    """Key of a storage client; `key_id` identifies the user."""

    scheme: str
    bucket: str
    endpoint: str
    region: str
    key_id: str


class ObjectFolder:
    """See `Folder` for the contract.

    An object is written completely or not at all. A folder of several objects is not, so callers
    name a copy only after `send` has returned.

    Args:
        uri: `s3://bucket/prefix` or `gs://bucket/prefix`; the bucket must exist.
        patience_s: Seconds to retry while there is no answer; `OUTAGE_S` by default.

    Raises:
        StorageError: If `uri` is no such URI.
    """

    def __init__(self, uri: str, patience_s: float | None = None) -> None:
        fault, hint = uri_fault(uri)
        if fault:
            raise StorageError(fault, uri, hint, code="storage-address")
        scheme, _, rest = uri.partition("://")
        self._scheme = scheme
        self._path = "/".join(part for part in rest.split("/") if part)
        self._patience_s = patience_s

    def __repr__(self) -> str:
        return self.uri

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectFolder) and other.uri == self.uri

    def __hash__(self) -> int:
        return hash(self.uri)

    @property
    def uri(self) -> str:
        """Return the URI, without a slash at its end."""
        return f"{self._scheme}://{self._path}"

    @property
    def place(self) -> str:
        """Return the URI, which is canonical."""
        return self.uri

    @property
    def local(self) -> None:
        """Return None: the folder is not on this machine."""
        return None

    @property
    def bucket(self) -> str:
        """Return the bucket's name."""
        return self._path.partition("/")[0]

    @property
    def filesystem(self) -> Any:
        """Return the `pyarrow.fs.FileSystem` of the bucket."""
        return _filesystem(self._client())

    def _client(self) -> _Client:
        return _Client(self._scheme, self.bucket, _endpoint(), _region(), _key_id())

    def path(self, name: str = "") -> str:
        """Return `bucket/key` of a name, for `filesystem`."""
        return f"{self._path}/{name}" if name else self._path

    def object_store_options(self, patience_s: float) -> dict[str, str]:
        """Return the options of delta-rs for the same place, without secrets.

        Args:
            patience_s: Seconds to retry a failing request.
        """
        options = {
            "max_retries": "1000",
            "retry_timeout": f"{patience_s:g}s",
            "backoff_config.max_backoff": "5s",
        }
        if self._scheme == "s3":
            options["aws_region"] = self.filesystem.region or "us-east-1"
            if _endpoint():
                options["aws_endpoint_url"] = _endpoint()
                options["aws_allow_http"] = str(_endpoint().startswith("http://")).lower()
        return options

    def below(self, name: str) -> ObjectFolder:
        """Return the folder of a name below this one."""
        return ObjectFolder(f"{self.uri}/{name}", self._patience_s)

    def read(self, name: str) -> bytes:
        """Return the content of an object."""

        def get() -> bytes:
            with self.filesystem.open_input_stream(self.path(name)) as stream:
                content: bytes = stream.read()
            return content

        try:
            return self._ask(get)
        except FileNotFoundError:
            _require_bucket(self._client())
            raise FileNotFoundError(f"{self}/{name}") from None

    def write(self, name: str, content: bytes) -> None:
        """Write an object, or replace an existing one."""
        self._upload(name, pa.py_buffer(content))

    def put(self, name: str, content: bytes) -> bool:
        """Write an object unless one exists.

        The check and the write are two steps, so two concurrent writers may both write. That is
        harmless here: a fragment is named after the event in it, so both contents are the same.
        Commits of the ledger do not use this method.
        """
        if self.exists(name):
            return False
        self.write(name, content)
        return True

    def exists(self, name: str) -> bool:
        """Return whether there is an object of that name."""
        info = self._ask(lambda: self.filesystem.get_file_info(self.path(name)))
        if info.type == pyarrow.fs.FileType.NotFound:
            _require_bucket(self._client())
        return bool(info.type == pyarrow.fs.FileType.File)

    def names(self, under: str = "") -> list[str]:
        """Return the names of all objects below `under`, sorted."""
        selector = pyarrow.fs.FileSelector(
            self.path(under.strip("/")), recursive=True, allow_not_found=True
        )
        infos = self._ask(lambda: self.filesystem.get_file_info(selector))
        if not infos:
            _require_bucket(self._client())
        start = len(self._path) + 1
        return sorted(
            info.path[start:]
            for info in infos
            if info.type == pyarrow.fs.FileType.File and not info.base_name.startswith(".")
        )

    def delete(self, name: str) -> None:
        """Remove an object, or all objects below a name."""
        selector = pyarrow.fs.FileSelector(self.path(name), recursive=True, allow_not_found=True)
        infos = self._ask(lambda: self.filesystem.get_file_info(selector))
        found = [i.path for i in infos if i.type == pyarrow.fs.FileType.File]
        for path in [*found, self.path(name)]:
            self._ask(partial(self._delete, path))

    def send(self, source: Path, name: str) -> None:
        """Copy all files of a folder; they replace all objects under the name."""
        files = {p.relative_to(source).as_posix(): p for p in source.rglob("*") if p.is_file()}
        for part, path in sorted(files.items()):
            # a mapped file is sent as one buffer: an interrupted stream would leave a short object
            content = pa.memory_map(str(path)).read_buffer() if path.stat().st_size else b""
            self._upload(f"{name}/{part}", pa.py_buffer(content))
        for old in self.names(name):
            if old.removeprefix(f"{name}/") not in files:
                self.delete(old)

    def fetch(self, name: str, to: Path) -> Path:
        """Copy all objects below a name into a folder, which appears complete or not at all."""
        names = self.names(name)
        if not names:
            raise FileNotFoundError(f"{self}/{name}")
        to.parent.mkdir(parents=True, exist_ok=True)
        stage = to.with_name(f".{to.name}.{uuid.uuid4().hex}.tmp")
        try:
            for each in names:
                target = stage / each[len(name) + 1 :]
                self._ask(partial(self._download, each, target))
            shutil.rmtree(to, ignore_errors=True)
            stage.rename(to)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        return to

    def _ask(self, call: Callable[[], Result]) -> Result:
        return asked(call, self.uri, self._patience_s)

    def _upload(self, name: str, content: Any) -> None:
        def upload() -> None:
            with self.filesystem.open_output_stream(self.path(name)) as stream:
                stream.write(content)

        self._ask(upload)

    def _download(self, name: str, to: Path) -> None:
        to.parent.mkdir(parents=True, exist_ok=True)
        with self.filesystem.open_input_stream(self.path(name)) as source, to.open("wb") as sink:
            shutil.copyfileobj(source, sink, 2**20)

    def _delete(self, path: str) -> None:
        try:
            self.filesystem.delete_file(path)
        except FileNotFoundError:
            return


@lru_cache(maxsize=64)
def _require_bucket(client: _Client) -> None:
    """Refuse a missing bucket, to distinguish it from a missing object."""
    uri = f"{client.scheme}://{client.bucket}"
    try:
        info = asked(lambda: _filesystem(client).get_file_info(client.bucket), uri)
    except StorageError:
        return  # credentials without access to the bucket may still have access to its objects
    if info.type == pyarrow.fs.FileType.NotFound:
        what, hint = (
            f"there is no bucket {client.bucket!r}",
            "create it, or correct its name in the URI",
        )
        raise StorageError(what, uri, hint, code="storage-no-bucket")


@lru_cache(maxsize=16)
def _filesystem(client: _Client) -> Any:
    if client.scheme == "gs":
        return pyarrow.fs.GcsFileSystem()
    where: dict[str, Any] = {}
    if client.endpoint:
        protocol, _, host = client.endpoint.partition("://")
        where = {"scheme": protocol, "endpoint_override": host}
    return pyarrow.fs.S3FileSystem(
        **where,
        region=client.region or _region_of(client.bucket, client.endpoint),
        allow_delayed_open=True,  # a small object is then one request instead of three
        connect_timeout=_CONNECT_S,
        request_timeout=_SILENT_S,
        retry_strategy=pyarrow.fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
    )


def _region_of(bucket: str, endpoint: str) -> str:
    """Return the region of a bucket, from AWS; other servers accept any region."""
    if endpoint:
        return "us-east-1"
    try:
        region: str = pyarrow.fs.resolve_s3_region(bucket)
    except OSError as error:
        what = f"cannot find the region of bucket {bucket!r}: {first_line(error)}"
        hint = "set AWS_REGION, or AWS_ENDPOINT_URL for a store that is not Amazon's"
        raise StorageError(what, f"s3://{bucket}", hint, code="storage-no-bucket") from error
    return region


def _endpoint() -> str:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        if os.environ.get(name):
            return os.environ[name].rstrip("/")
    return ""


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""


def _key_id() -> str:
    return os.environ.get("AWS_ACCESS_KEY_ID", "")
