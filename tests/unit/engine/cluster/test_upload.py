"""Files uploaded from a working directory, compared with Ray's package."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from paretoflow.engine.cluster.upload import upload_of
from tests.faults import raises

pytestmark = pytest.mark.ray
packaging = pytest.importorskip("ray._private.runtime_env.packaging")

WANTED = ["job.yaml", "scorers.py", "data/rows.jsonl", "src/environment.py", "keys.md", "sweeps.py"]
UNWANTED = [
    ".git/config",
    "src/.git/HEAD",
    ".venv/bin/python",
    "my env/pyvenv.cfg",
    "my env/lib/site.py",
    "src/__pycache__/a.pyc",
    "wandb/run-1/config.yaml",
    ".env",
    "deploy/.env.production",
    "prod.env",
    "server.pem",
    "src/tls/tls.key",
    "id_rsa",
    ".ssh/id_ed25519",
    ".aws/credentials",
    ".netrc",
    ".kube/config",
    "service-account-prod.json",
    "gcp_credentials.json",
    "out/sweeps [1]/quickstart/spec.json",
    "out/sweeps [1]/quickstart/adapters/a.safetensors",
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in [*WANTED, *UNWANTED]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_it_is_what_ray_sends_and_nothing_that_is_not_to_go(home: Path, tmp_path: Path) -> None:
    upload = upload_of(home, home / "out" / "sweeps [1]")
    assert sorted(name for name, _ in upload.files) == sorted(WANTED)
    package = tmp_path.parent / f"{tmp_path.name}.zip"
    packaging._zip_files(str(home), list(upload.excludes), str(package), False, False)
    with zipfile.ZipFile(package) as sent:
        files = [name for name in sent.namelist() if not name.endswith("/")]
    assert sorted(files) == sorted(WANTED)
    assert sorted(WANTED) == sorted(p for p in files if (home / p).read_text() == p)


def test_it_says_how_much_goes_and_what_does_not(home: Path) -> None:
    (home / "data" / "rows.jsonl").write_bytes(b"0" * 2_345_678)
    upload = upload_of(home, None)
    told = str(upload)
    assert told.startswith(f"uploads {home}: 8 files, 2.3 MB; without .aws, .env, .git, ")
    assert " more" in told
    assert upload.files[0] == ("data/rows.jsonl", 2_345_678)
    assert "my env" in upload.left_out


def test_ignore_files_of_the_folder_are_heeded_as_ray_does(home: Path) -> None:
    (home / ".gitignore").write_text("data/\n")
    (home / ".rayignore").write_text("*.md\n")
    names = [name for name, _ in upload_of(home, home / "out").files]
    assert "data/rows.jsonl" not in names
    assert "keys.md" not in names


@pytest.mark.parametrize("storage", [".", "..", "/elsewhere"])
def test_storage_that_is_not_below_the_folder_hides_nothing(home: Path, storage: str) -> None:
    names = [name for name, _ in upload_of(home, (home / storage).resolve()).files]
    assert set(WANTED) <= set(names)


def test_an_empty_folder_is_no_fault(tmp_path: Path) -> None:
    upload = upload_of(tmp_path, None)
    assert str(upload) == f"uploads {tmp_path}: 0 files, 0.0 kB"
    upload.require_room(1)
    with raises("usage-option", "0.0", "kB"):
        upload.require_room(0)
