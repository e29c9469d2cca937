"""Check of the program of `method: {type: command}`, and of its environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from paretoflow.spec.methods import CommandMethodSpec
from paretoflow.spec.positions import Fault

_SCRIPTS = (".py", ".sh")


def program_findings(method: CommandMethodSpec) -> Iterator[Fault]:
    """Yield the faults that would prevent a run from starting its program here."""
    words = [word.replace("{python}", sys.executable) for word in method.argv]
    if shutil.which(words[0]) is None:
        file = Path(words[0])
        if file.is_file():
            what = f"{words[0]!r} is a file that cannot be executed"
            yield Fault(
                ("method", "argv", 0),
                what,
                f"make it so: chmod +x {words[0]}",
                code="spec-unusable-file",
            )
        else:
            what = f"there is no program {words[0]!r} on this machine"
            hint = "install it, or name it by its path; there is no shell"
            yield Fault(("method", "argv", 0), what, hint, code="spec-missing-file")
    for index, word in enumerate(words[1:], start=1):
        is_script = word.endswith(_SCRIPTS) and "{" not in word and word[0] != "-"
        if is_script and not Path(word).is_file():
            what = f"there is no file {word!r}"
            hint = f"paths start at the folder of the command, {str(Path.cwd())!r}"
            yield Fault(("method", "argv", index), what, hint, code="spec-missing-file")
    for index, name in enumerate(method.env):
        if name not in os.environ:
            what = f"the variable {name} is not set"
            yield Fault(
                ("method", "env", index), what, "export it, or leave it out", code="spec-variable"
            )
