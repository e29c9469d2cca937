"""Open or resume a sweep, and run it: folder, ledger, backend and proposer put together."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from paretoflow import proposers
from paretoflow.core.errors import (
    MissingExtraError,
    PluginError,
    SpecError,
    SweepNotFoundError,
    UserError,
)
from paretoflow.core.protocols import Proposer
from paretoflow.core.views import FrontView
from paretoflow.engine.live import LiveBoard
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.loop.hooks import (
    NOBODY_WATCHES,
    StopRequestedError,
    Surroundings,
    Watching,
)
from paretoflow.engine.messages import Backend
from paretoflow.engine.read.sweep import SPEC_FILE, front_view, read_spec
from paretoflow.engine.runtime.protocols import WORKSHOP
from paretoflow.engine.session.ending import Ending
from paretoflow.engine.session.home import note_home
from paretoflow.engine.session.interrupts import Interrupts, interrupts
from paretoflow.engine.session.stop_request import StopWatch
from paretoflow.engine.simulation.backend import (
    AnyOracle,
    SimulatedBackend,
    SimulatedCluster,
    Weather,
)
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger import open_ledger
from paretoflow.ledger.fragments import read_fragments
from paretoflow.ledger.ledger import Ledger
from paretoflow.ledger.memory import MemoryLedger
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.methods.catalogue import CAPABILITIES
from paretoflow.methods.support import require_supported
from paretoflow.scoring.calibrate import declared_problem
from paretoflow.spec.data import PydocDataSpec
from paretoflow.spec.former import going_on
from paretoflow.spec.former_control import control_going_on
from paretoflow.spec.search import axes_of
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Folder, Root, as_folder
from paretoflow.storage.folder import require_sweep_path

if TYPE_CHECKING:
    from paretoflow.engine.session.observers import Audience

CHANGEABLE = ("engine", "stop", "storage", "tracking")
"""Top-level keys that may differ when a sweep is resumed: they change what is spent, not what is
compared.
"""


ORACLES = {"llm_like": "paretoflow.engine.simulation.llm_like:LlmLikeOracle"}
"""Oracles of ours by name, as `module:factory`."""


@dataclass(frozen=True)
class Simulation:
    """A simulated sweep.

    Args:
        launches: Every run in the order in which it was proposed: run id and proposal as plain
            values.
        virtual_s: Virtual seconds it took.
        ending: How it ended.
    """

    front: FrontView
    launches: tuple[dict[str, Any], ...]
    virtual_s: float
    ending: Ending

    @property
    def reason(self) -> str:
        """Return why it ended."""
        return self.ending.reason


def sweep_root(spec: SweepSpec) -> Folder:
    """Return where a sweep lives, `<storage>/<name>`.

    Raises:
        StorageError: If none can live there.
    """
    root = as_folder(spec.storage).below(spec.name)
    require_sweep_path(root)
    return root


def run_sweep(
    spec: SweepSpec,
    *,
    watch: Watching = NOBODY_WATCHES,
    address: str | None = None,
    fsync: bool = True,
    workshop: str = WORKSHOP,
    accept_change: bool = False,
) -> str:
    """Run a sweep to the end of its budget, from wherever it stands; return why it ended.

    Args:
        spec: The sweep.
        watch: Shows it while it runs.
        address: A running Ray cluster; None starts a local one.
        fsync: Whether each commit waits for the disk.
        workshop: Import path of what trains and evaluates, `module:Class`; see
            `engine.runtime.protocols`.
        accept_change: Whether to go on although what scores depend on has changed; it is recorded.

    Raises:
        ChangedInputsError: If what scores depend on has changed since the objectives were frozen.
        SpecError: If the folder holds a sweep of the same name with other contents.
        UserError: If data, model or objectives cannot be set up.
        FencedError: If another driver takes the sweep over.
        KeyboardInterrupt: After open runs were recorded; running again goes on.
    """
    backend_class = _ray_backend()
    require_supported(spec)
    root = sweep_root(spec)
    spec = drawn_as_begun(spec, root)
    enter_folder(spec, root, elsewhere=address is not None)
    ledger = open_ledger(root, writer=True, create=True, fsync=fsync)
    generation = _changes_accepted(ledger) + accept_change
    with interrupts() as noted, noted.told_apart():
        backend = backend_class(spec, root, address, workshop=workshop, generation=generation)
        noted.take()  # once more: Ray sets a handler of its own, which would just exit
        audience = _audience(spec, backend, watch)
        reason = _drive(spec, ledger, backend, audience, noted, accept_change=accept_change)
    if address is None:  # only now: what it names is here, and is what it was
        note_home(root, again=True)
    return reason


def _changes_accepted(ledger: Ledger) -> int:
    rows = (e for e in ledger.events() if e.kind is EventKind.INPUTS)
    return sum(bool(e.payload.get("accepted")) for e in rows)


def drawn_as_begun(spec: SweepSpec, root: Root) -> SweepSpec:
    """Return a spec that goes on as the sweep that is there began, where it does not say how.

    That is: it draws its prompts so, and keeps the defaults that have changed since.
    """
    try:
        begun = read_spec(root)
    except SweepNotFoundError:
        return spec
    spec = control_going_on(going_on(spec, begun), begun)
    drawn_by = begun.get("data", {}).get("drawn_by")
    said = isinstance(spec.data, PydocDataSpec) or "drawn_by" in spec.data.model_fields_set
    if said or drawn_by not in ("content", "row"):
        return spec
    return spec.model_copy(update={"data": spec.data.model_copy(update={"drawn_by": drawn_by})})


def _drive(
    spec: SweepSpec,
    ledger: Ledger,
    backend: Any,
    audience: Audience,
    noted: Interrupts,
    *,
    accept_change: bool,
) -> str:
    root = sweep_root(spec)
    board = LiveBoard(root, ledger.epoch, backend.now())
    stop = StopWatch(root)

    def stop_asked() -> str:
        noted.check()
        return stop.asked()

    def meanwhile() -> None:
        if asked := stop_asked():
            raise StopRequestedError(asked)
        gangs = backend.gangs()
        board.update(gangs, backend.now())
        audience.groups(gangs)

    def recover() -> list[Event]:
        for healed in getattr(ledger, "healed", ()):
            audience.watch(driver.state, f"mended: {healed}")
        return read_fragments(
            root,
            known=ledger.ids(),
            damaged=lambda e: audience.watch(driver.state, f"set aside {e.where}: {e.what}"),
        )

    backend.meanwhile, backend.status = meanwhile, noted.status
    around = Surroundings(
        watch=audience.watch,
        recover=recover,
        stop_asked=stop_asked,
        board=board,
        groups=audience.groups,
        front=audience.front,
        decided=audience.decided,
        accept_change=accept_change,
        interrupted=noted.why,
    )
    proposer = _proposer(spec)
    driver = Driver(spec, ledger, backend, proposer, around)
    ended = False
    try:
        reason = driver.run()
        ended = not driver.state.open_runs()
    finally:
        audience.close(ended=ended)
    return reason


def _audience(spec: SweepSpec, backend: Backend, watch: Watching) -> Audience:
    from paretoflow.engine.session.observers import Audience  # it imports Ray

    try:
        return Audience(spec, backend, watch.state, watch.groups)
    except UserError:
        backend.close()
        raise


def enter_folder(spec: SweepSpec, root: Root, *, elsewhere: bool = False) -> None:
    """Write the resolved spec into a new sweep's folder, or check it against the one that is there.

    Args:
        spec: The sweep's.
        root: Where it lives.
        elsewhere: Whether a cluster is to work on it, where the current folder means nothing.

    Raises:
        SpecError: If anything but `CHANGEABLE` differs, and the sweep has begun.
        StorageError: If storage refuses.
    """
    require_same(spec, root)
    content = json.dumps(spec.model_dump(mode="json"), indent=1) + "\n"
    as_folder(root).write(SPEC_FILE, content.encode())
    if not elsewhere:
        note_home(root)


def require_same(spec: SweepSpec, root: Root) -> None:
    """Refuse a spec that is not that of the sweep that has begun there; see `enter_folder`."""
    folder = as_folder(root)
    new = spec.model_dump(mode="json")
    try:
        old = _with_defaults(read_spec(folder))
    except SweepNotFoundError:
        return  # a new one
    differs = [k for k in new if k not in CHANGEABLE and new[k] != old.get(k)]
    if differs and _has_begun(folder):
        keys, allowed = ", ".join(differs), ", ".join(CHANGEABLE)
        raise SpecError(
            f"a sweep named {spec.name!r} lives there already, with another {keys}",
            folder.uri,
            f"give this sweep another name; to resume that one, only {allowed} may change",
        )


def _with_defaults(plain: dict[str, Any]) -> dict[str, Any]:
    """Fill in what an older version of ParetoFlow did not know; what no longer fits stays as is."""
    try:
        return SweepSpec.model_validate_json(json.dumps(plain), strict=True).model_dump(mode="json")
    except ValidationError:
        return plain


def _has_begun(root: Folder) -> bool:
    """Return whether anything was measured: until then a fault in the YAML can still be mended."""
    try:
        events = open_ledger(root, writer=False).events()
    except SweepNotFoundError:
        return False
    return any(e.kind is EventKind.CALIBRATED for e in events)


def _ray_backend() -> Any:
    try:
        module = importlib.import_module("paretoflow.engine.ray.backend")
        importlib.import_module("torch")
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("running a sweep", str(error.name), "train,ray") from error
    return module.RayBackend


def load_oracle(path: str) -> AnyOracle:
    """Import `module:factory` and call the factory; the current folder is on the import path.

    The name of one of ours (`ORACLES`) is enough.

    Raises:
        PluginError: If the module or the factory does not exist, or what it returns has
            neither `launch` nor `train`.
    """
    module_name, _, name = ORACLES.get(path, path).partition(":")
    if not module_name or not name:
        ours = ", ".join(ORACLES)
        hint = f"write it as module:factory, or name one of ours: {ours}"
        raise PluginError(f"got {path!r}", "--oracle", hint)
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except (ImportError, SyntaxError) as error:
        raise PluginError(
            f"cannot import {module_name!r}: {error}", "--oracle", "run in the folder that holds it"
        ) from error
    factory = getattr(module, name, None)
    if not callable(factory):
        raise PluginError(
            f"module {module_name!r} has no function {name!r}", "--oracle", "check the spelling"
        )
    oracle = factory()
    if not any(callable(getattr(oracle, method, None)) for method in ("launch", "train")):
        raise PluginError(
            f"{path} returned {type(oracle).__name__}, which has no launch(proposal, rng) and no "
            "train(task, rng)",
            "--oracle",
            "return an object with launch(proposal, rng) -> [(cost, scores), ...]",
        )
    return cast("AnyOracle", oracle)


def simulate(
    spec: SweepSpec,
    oracle: AnyOracle,
    *,
    weather: Weather | None = None,
    ledger: MemoryLedger | None = None,
) -> Simulation:
    """Run the same planner and ledger against an oracle, in virtual time.

    Raises:
        SpecError: If an objective declares no range: there is nothing to calibrate it from.
    """
    problem = declared_problem(spec.objectives)
    cluster = SimulatedCluster(oracle, problem, spec.engine, seed=spec.seed, weather=weather)
    proposer = _proposer(spec)
    ledger = ledger or MemoryLedger()
    driver = Driver(spec, ledger, SimulatedBackend(cluster), proposer)
    reason = driver.run()
    state = driver.state
    return Simulation(
        front=front_view(state, spec.name, ledger.fronts()),
        launches=tuple(_launches(state)),
        virtual_s=cluster.time.now_s,
        ending=Ending.of(state, reason),
    )


def _launches(state: SweepState) -> Sequence[dict[str, Any]]:
    return [
        {"run_id": r.run_id, "status": r.status.value, **r.proposal.to_dict()}
        for r in state.runs.values()
    ]


def _proposer(spec: SweepSpec) -> Proposer:
    m, launches = len(spec.objectives), CAPABILITIES[spec.method.type].launches
    axes = axes_of(spec.search, spec.method)
    return proposers.build(spec.proposer, m=m, runs=spec.stop.runs, launches=launches, axes=axes)
