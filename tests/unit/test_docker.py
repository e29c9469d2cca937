"""The build files of the images: linted, pinned to what the tests pass with. None is built here."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "docker").glob("Dockerfile.c*[au]"))


def hadolint(path: Path) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    if tool is None:
        pytest.skip("hadolint is not installed; it comes with the extra `dev`")
    return subprocess.run(
        [tool, "--no-color", "--failure-threshold", "style", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def pins(text: str) -> dict[str, str]:
    return {
        name.lower(): version for name, version in re.findall(r"([A-Za-z][\w.-]*)==([\w.]+)", text)
    }


def test_there_is_one_for_cpu_and_one_for_cuda() -> None:
    assert [path.name for path in FILES] == ["Dockerfile.cpu", "Dockerfile.cuda"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_hadolint_finds_nothing(path: Path) -> None:
    done = hadolint(path)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_find_something(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python:latest\nRUN pip install torch\n")
    done = hadolint(bad)
    assert done.returncode != 0
    assert "DL3007" in done.stdout
    assert "DL3013" in done.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_what_is_installed_is_what_the_tests_pass_with(path: Path) -> None:
    wanted = pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    found = pins(path.read_text(encoding="utf-8"))
    assert found.keys() >= {"torch", "deepspeed", "setuptools"}
    assert {name: wanted[name] for name in found} == found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_nothing_runs_as_root_and_torch_comes_before_deepspeed(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    users = re.findall(r"^USER (.+)$", text, re.MULTILINE)
    assert users == ["1000"]
    assert text.index("USER 1000") < text.index("pip install")
    assert text.index("torch==") < text.index("--no-build-isolation deepspeed==")
    assert re.search(r"^HEALTHCHECK ", text, re.MULTILINE)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_only_what_is_named_goes_into_the_image(path: Path) -> None:
    ignored = path.with_name(f"{path.name}.dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", path.read_text(encoding="utf-8"), re.M)
        for name in line.split()[1:-1]
    }
    assert copied == let_in
    assert all((ROOT / name).exists() for name in let_in)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_package_indexes_are_build_arguments_of_pip(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    arguments = re.findall(r"^ARG (.+)$", text, re.MULTILINE)
    assert arguments == ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"]
    assert text.index("ARG PIP_INDEX_URL") < text.index("pip install")
    read_me = (ROOT / "docker" / "README.md").read_text(encoding="utf-8")
    assert all(f"--build-arg {name}=" in read_me for name in arguments)


def test_no_file_names_the_host_of_a_package_index() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    named = re.compile(
        rb"(index[-_]url|registry|find-links|trusted-host)[= ]+[\"']?(https?://|\w+\.)"
    )
    found = [
        name
        for name in listed.stdout.split("\0")
        if (ROOT / name).is_file() and named.search((ROOT / name).read_bytes().lower())
    ]
    assert found == []
