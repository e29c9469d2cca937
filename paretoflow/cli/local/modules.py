"""Requirements of adapters and methods on the base's folder: modules by name, enough words."""

from __future__ import annotations

from collections.abc import Iterator

from paretoflow.cli.local.models import ModelFolder, base_folder
from paretoflow.lm.headers import tensor_header
from paretoflow.spec.methods import CommandMethodSpec, MeetMethodSpec
from paretoflow.spec.models import ALL_LINEAR
from paretoflow.spec.positions import Fault
from paretoflow.spec.search import MODULE_RANK
from paretoflow.spec.shape import KeyPath, nearest
from paretoflow.spec.sweep import SweepSpec

RENAMES = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts", "auto_map")
"""Configuration keys of models whose module names differ from those in their files."""


def module_findings(spec: SweepSpec) -> Iterator[Fault]:
    """Yield the requirements of the adapter and the method that the base does not meet."""
    base = base_folder(spec.model)
    if base is None or isinstance(spec.method, CommandMethodSpec):
        return
    yield from _bins(spec, base)
    names = _module_names(base)
    for path, name in _named(spec) if names else ():
        last = name.rpartition(".")[2]
        if last not in names:
            near = nearest(last, sorted(names))
            hint = f"did you mean `{near}`?" if near else f"it has {', '.join(sorted(names))}"
            what = f"got the module `{name}`, which {base.folder} does not have"
            yield Fault(path, what, hint, code="model-targets")


def _named(spec: SweepSpec) -> Iterator[tuple[KeyPath, str]]:
    """Yield the modules that a spec names, each with its place, except regular expressions."""
    lora = spec.model.lora
    if not isinstance(lora.targets, str):
        yield from ((("model", "lora", "targets", i), t) for i, t in enumerate(lora.targets))
    if not isinstance(lora.targets, str) or lora.targets.lower() == ALL_LINEAR:
        yield from ((("model", "lora", "ranks", name), name) for name in lora.ranks)
        for axis in spec.search:
            if axis.startswith(MODULE_RANK):
                yield ("search", axis), axis.removeprefix(MODULE_RANK)


def _module_names(base: ModelFolder) -> set[str]:
    """Return the last parts of the modules' names; empty if the files do not list them."""
    if any(base.config.get(key) for key in RENAMES):
        return set()
    names: set[str] = set()
    for file in sorted(base.folder.glob("*.safetensors")):
        found = tensor_header(file)  # damaged files are reported elsewhere
        if not found:
            return set()
        names.update(part for name in found for part in name.split(".")[:-1] if part.isidentifier())
    return names


def _bins(spec: SweepSpec, base: ModelFolder) -> Iterator[Fault]:
    words = base.config.get("vocab_size")
    if not isinstance(spec.method, MeetMethodSpec) or not isinstance(words, int):
        return
    most = words // len(spec.objectives)
    if spec.method.bins > most:
        what = f"got {spec.method.bins} bins, a word each and objective; allowed: at most {most}, "
        what += f"since the base has {words} words"
        yield Fault(("method", "bins"), what, "lower it; a few are usual", code="spec-not-allowed")
