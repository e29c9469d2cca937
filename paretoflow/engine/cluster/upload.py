"""The upload of a working directory to the cluster: the user's files without storage and secrets.

Ray uploads all files that are not excluded. Everyone with access to the cluster's jobs can read
them. Beyond a size limit Ray fails in the middle of the upload.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from paretoflow.core.errors import UserError

CACHES = [
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "venv",
    ".tox",
    ".nox",
    "node_modules",
    "__pycache__",
    "*.pyc",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    ".ipynb_checkpoints",
    ".cache",
    "wandb",
    "mlruns",
    ".DS_Store",
]
SECRETS = [
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".ssh",
    ".aws",
    ".azure",
    "gcloud",
    ".kube",
    "kubeconfig*",
    ".docker",
    ".gnupg",
    ".ray",
    ".netrc",
    "_netrc",
    ".pypirc",
    ".npmrc",
    ".pgpass",
    ".boto",
    ".s3cfg",
    ".htpasswd",
    ".git-credentials",
    ".huggingface",
    "secrets.*",
    "*credentials*",
    "service-account*.json",
    "service_account*.json",
    "auth_token",
]
"""Patterns in .gitignore syntax, without a slash at the end: Ray passes folders without one."""
SHOWN = 5


@dataclass(frozen=True)
class Upload:
    """The files that an upload of a working directory would send.

    Args:
        excludes: Patterns that Ray leaves out, in .gitignore syntax.
        files: Sizes in bytes by name relative to the folder; the largest first.
        left_out: Names that are left out; a folder counts as one name.
    """

    folder: Path
    excludes: tuple[str, ...]
    files: tuple[tuple[str, int], ...]
    left_out: tuple[str, ...]

    @property
    def total_bytes(self) -> int:
        """Return the size of all files."""
        return sum(size for _, size in self.files)

    def __str__(self) -> str:
        told = f"uploads {self.folder}: {len(self.files)} files, {_size(self.total_bytes)}"
        shown = ", ".join(self.left_out[:SHOWN])
        more = len(self.left_out) - SHOWN
        if shown:
            told += f"; without {shown}" + (f" and {more} more" if more > 0 else "")
        return told

    def require_room(self, limit_bytes: int) -> None:
        """Refuse an upload that Ray would refuse in the middle.

        Raises:
            UserError: If the files are too large together; the message names the largest.
        """
        if self.total_bytes >= limit_bytes:
            largest = ", ".join(f"{name} ({_size(size)})" for name, size in self.files[:SHOWN])
            raise UserError(
                f"{self.folder} holds {_size(self.total_bytes)}, and Ray takes less than "
                f"{_size(limit_bytes)}; the largest files: {largest}",
                "--working-dir",
                "name them in .rayignore, and let the cluster read them from storage",
                code="usage-option",
            )


def upload_of(folder: Path, storage: Path | None) -> Upload:
    """Return the upload of a folder.

    Args:
        folder: The working directory.
        storage: Folder of sweeps on this machine; None for an object store.
    """
    from ray._private.runtime_env import packaging

    folder = folder.absolute()
    excludes = [*CACHES, *SECRETS, *_anchored(folder, storage), *_environments(folder)]
    files: list[tuple[str, int]] = []
    left: list[str] = []

    def name_of(path: Path) -> str:
        return path.relative_to(folder).as_posix()

    def skips(excluded: Callable[[Path], bool]) -> Callable[[Path], bool]:
        def skip(path: Path) -> bool:
            found = path != folder and excluded(path)
            if found:
                left.append(name_of(path))
            return found

        return skip

    def take(path: Path) -> None:
        if path.is_file():
            files.append((name_of(path), path.stat().st_size))

    asked = [skips(packaging._get_excludes(folder, excludes))]
    heeded = os.environ.get("RAY_RUNTIME_ENV_IGNORE_GITIGNORE", "0") != "1"
    packaging._dir_travel(folder, asked, take, include_gitignore=heeded)
    files.sort(key=lambda item: (-item[1], item[0]))
    return Upload(folder, tuple(excludes), tuple(files), tuple(sorted(left)))


def most_bytes() -> int:
    """Return Ray's size limit of an upload, in bytes."""
    from ray._private.runtime_env import packaging

    return int(packaging.GCS_STORAGE_MAX_SIZE)


def _anchored(folder: Path, inside: Path | None) -> Iterator[str]:
    """Yield the pattern of one folder below another."""
    if inside is not None and inside.absolute().is_relative_to(folder):
        name = inside.absolute().relative_to(folder).as_posix()
        if name != ".":
            yield f"/{_literal(name)}"


def _environments(folder: Path) -> Iterator[str]:
    """Yield the patterns of Python's virtual environments, under any name."""
    for at, below, names in os.walk(folder):
        if "pyvenv.cfg" in names or "conda-meta" in below:
            yield from _anchored(folder, Path(at))
            below.clear()


def _literal(name: str) -> str:
    """Return a name with the special characters of .gitignore syntax escaped."""
    return "".join(f"\\{c}" if c in "\\*?[]!# " else c for c in name)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
