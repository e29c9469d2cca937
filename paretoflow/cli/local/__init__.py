"""Checks of this machine by `check` and `run`: files, folders, functions, before any cost.

They use no torch and no Ray, and the user's functions are called in a process of their own;
whatever cannot be checked that way is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paretoflow.cli.local.functions import function_findings
from paretoflow.cli.local.judges import judge_findings
from paretoflow.cli.local.memory import Memory, memory_findings, memory_of
from paretoflow.cli.local.models import base_findings, base_folder, reward_findings
from paretoflow.cli.local.modules import module_findings
from paretoflow.cli.local.places import storage_findings
from paretoflow.cli.local.programs import program_findings
from paretoflow.cli.local.servers import server_findings
from paretoflow.cli.local.starts import start_findings
from paretoflow.cli.local.trackers import tracker_findings
from paretoflow.core.data_facts import DataFacts
from paretoflow.core.protocols import Prompt
from paretoflow.spec.capabilities import references_for
from paretoflow.spec.data import PydocDataSpec
from paretoflow.spec.load import error_of, load_located
from paretoflow.spec.methods import CommandMethodSpec
from paretoflow.spec.models import EmbeddedModelSpec
from paretoflow.spec.objectives import (
    ImportObjectiveSpec,
    JudgeObjectiveSpec,
    RewardModelObjectiveSpec,
)
from paretoflow.spec.positions import Fault
from paretoflow.spec.sweep import SweepSpec

_SURE_EVAL, _SURE_TRAIN = 150, 1_000
"""Prompts that the embedded task has at least, with every Python version."""


@dataclass
class LocalFindings:
    """Results of the checks on this machine.

    Args:
        faults: Faults that a run would be refused for.
        notes: Parts that were not checked.
        data: Counts of the data's rows, by their use; None if not all rows were read.
        memory: Estimated memory of one worker; None if the base's shape is not known here.
        prompts: Two train prompts; none if no rows were read.
    """

    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    data: DataFacts | None = None
    memory: Memory | None = None
    prompts: tuple[Prompt, ...] = ()

    def take(self, found: Iterable[Fault | str]) -> None:
        """Divide findings into faults and notes."""
        for finding in found:
            if isinstance(finding, Fault):
                self.faults.append(finding)
            else:
                self.notes.append(finding)

    def lines(self) -> list[str]:
        """Return the notes for the user, one sentence each."""
        told = self.data.lines() if self.data else ()
        return [*(f"data: {line}" for line in told), *self.notes]


def load_and_look(
    job: Path, overrides: Sequence[str], storage: str | None
) -> tuple[SweepSpec, LocalFindings]:
    """Read a sweep YAML and check everything on this machine that it names.

    Raises:
        SpecError: With every fault of the YAML; or, if it has none, of the named files.
    """
    spec, document = load_located(job, overrides, storage)
    found = look(spec)
    if found.faults:
        raise error_of(document, found.faults)
    return spec, found


def load_for_elsewhere(
    job: Path, overrides: Sequence[str], storage: str | None, *, files: bool = True
) -> SweepSpec:
    """Read the YAML of a sweep for a cluster, and check the machine-independent parts.

    These are the embedded base and the embedded task; everything else may be on the cluster only.

    Args:
        job: The file.
        overrides: They replace the file's values.
        storage: Replaces the file's `storage`.
        files: Whether the files and folders in it must exist on this machine too.

    Raises:
        SpecError: With every fault of the YAML; or, if it has none, of the named files.
    """
    spec, document = load_located(job, overrides, storage, files=files)
    found = LocalFindings()
    if isinstance(spec.model, EmbeddedModelSpec):
        found.take(base_findings(spec.model))
        found.take(module_findings(spec))
    if isinstance(spec.data, PydocDataSpec):
        _look_at_data(spec, found)
    if found.faults:
        raise error_of(document, found.faults)
    return spec


def look(spec: SweepSpec) -> LocalFindings:
    """Check everything on this machine that a sweep names."""
    found = LocalFindings()
    found.take(storage_findings(spec))
    found.take(base_findings(spec.model))
    found.take(module_findings(spec))
    found.take(start_findings(spec.model))
    found.take(server_findings(spec))
    found.take(tracker_findings(spec))
    for index, objective in enumerate(spec.objectives):
        if isinstance(objective, RewardModelObjectiveSpec):
            found.take(reward_findings(("objectives", index), objective))
        elif isinstance(objective, JudgeObjectiveSpec):
            found.take(judge_findings(("objectives", index), objective))
    if isinstance(spec.method, CommandMethodSpec):
        found.take(program_findings(spec.method))
    doubts: list[str] = []
    usable = list(_look_at_functions(spec, found, doubts))
    _look_at_data(spec, found, always=bool(usable))
    if usable and not found.faults:
        from paretoflow.cli.local.dry_calls import call_findings

        said = list(call_findings(usable, found.prompts))
        # a call says more than the source
        found.take(said)
        doubts = doubts if said else []
    found.take(doubts)
    if not found.faults:
        memory = memory_of(spec)
        found.memory = memory if isinstance(memory, Memory) else None
        found.take(memory_findings(spec, memory))
    return found


def _look_at_functions(
    spec: SweepSpec, found: LocalFindings, doubts: list[str]
) -> Iterator[tuple[int, ImportObjectiveSpec]]:
    """Read the source of each function; yield the objectives whose function may be called.

    Open questions are added to `doubts`: a call may answer them.
    """
    for index, objective in enumerate(spec.objectives):
        if isinstance(objective, ImportObjectiveSpec):
            said = list(function_findings(("objectives", index), objective))
            faults = [each for each in said if isinstance(each, Fault)]
            found.take(faults)
            doubts += [each for each in said if not isinstance(each, Fault)]
            if not faults:
                yield index, objective


def _look_at_data(spec: SweepSpec, found: LocalFindings, *, always: bool = False) -> None:
    sizes, embedded = spec.data, isinstance(spec.data, PydocDataSpec)
    sure = embedded and sizes.eval <= _SURE_EVAL and sizes.train + sizes.validation <= _SURE_TRAIN
    if sure and not always:
        return
    from paretoflow.cli.local.data import data_findings, embedded_findings  # scipy, pyarrow

    data = (
        embedded_findings(spec)
        if embedded
        else data_findings(spec, base_folder(spec.model), references_for(spec))
    )
    found.take([*data.faults, *data.notes])
    found.prompts = data.first
    found.data = None if sure else data.facts
