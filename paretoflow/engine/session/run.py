"""Open or resume a sweep and run it: combines folder, ledger, backend and proposer."""

from __future__ import annotations

import importlib
from functools import partial
from typing import TYPE_CHECKING, Any

from paretoflow.core.errors import (
    MissingExtraError,
    UserError,
)
from paretoflow.engine.live import LiveBoard
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.loop.hooks import (
    NOBODY_WATCHES,
    Hooks,
    StopRequestedError,
    Watching,
)
from paretoflow.engine.loop.planner import proposer_of
from paretoflow.engine.messages import Backend
from paretoflow.engine.runtime.protocols import EXECUTOR
from paretoflow.engine.session.folder import drawn_as_begun, enter_folder, sweep_root
from paretoflow.engine.session.home import note_home
from paretoflow.engine.session.interrupts import Interrupts, interrupts
from paretoflow.engine.session.stop_request import StopRequest
from paretoflow.ledger import open_ledger
from paretoflow.ledger.fragments import read_fragments
from paretoflow.ledger.ledger import Ledger
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.objectives.judged import spent_on_judges
from paretoflow.spec.load import require_valid
from paretoflow.spec.objectives import has_judge
from paretoflow.spec.sweep import SweepSpec

if TYPE_CHECKING:
    from paretoflow.engine.session.observers import Observers


def run_sweep(
    spec: SweepSpec,
    *,
    watch: Watching = NOBODY_WATCHES,
    address: str | None = None,
    fsync: bool = True,
    executor: str = EXECUTOR,
    accept_change: bool = False,
) -> str:
    """Run a sweep from its current state to the end of its budget; return the reason for the end.

    Args:
        spec: The sweep.
        watch: Callbacks of a display.
        address: A running Ray cluster; None starts a local one.
        fsync: Whether each commit waits for the disk.
        executor: Import path of the executor, which trains and evaluates, `module:Class`; see
            `engine.runtime.protocols`.
        accept_change: Whether to continue although inputs that scores depend on have changed; the
            change is recorded.

    Raises:
        ChangedInputsError: If inputs that scores depend on have changed since the objectives were
            frozen.
        SpecError: If the folder holds a sweep of the same name with other contents.
        UserError: If data, model or objectives cannot be set up.
        FencedError: If another driver takes the sweep over.
        KeyboardInterrupt: After open runs were recorded; another call continues.
    """
    backend_class = _ray_backend()
    require_valid(spec)
    root = sweep_root(spec)
    spec = drawn_as_begun(spec, root)
    enter_folder(spec, root, elsewhere=address is not None)
    ledger = open_ledger(root, writer=True, create=True, fsync=fsync)
    generation = _changes_accepted(ledger) + accept_change
    with interrupts() as noted, noted.told_apart():
        backend = backend_class(spec, root, address, executor=executor, generation=generation)
        noted.take()  # again: Ray sets a handler of its own, which would just exit
        observers = _observers(spec, backend, watch)
        reason = _drive(spec, ledger, backend, observers, noted, accept_change=accept_change)
    if address is None:  # only now: the files are known to be here and unchanged
        note_home(root, again=True)
    return reason


def _changes_accepted(ledger: Ledger) -> int:
    rows = (e for e in ledger.events() if e.kind is EventKind.INPUTS)
    return sum(bool(e.payload.get("accepted")) for e in rows)


def _drive(
    spec: SweepSpec,
    ledger: Ledger,
    backend: Any,
    observers: Observers,
    noted: Interrupts,
    *,
    accept_change: bool,
) -> str:
    root = sweep_root(spec)
    board = LiveBoard(root, ledger.epoch, backend.now())
    stop = StopRequest(root)

    def stop_asked() -> str:
        noted.check()
        return stop.asked()

    def meanwhile() -> None:
        if asked := stop_asked():
            raise StopRequestedError(asked)
        groups = backend.groups()
        board.update(groups, backend.now())
        observers.groups(groups)

    def recover() -> list[Event]:
        for healed in getattr(ledger, "healed", ()):
            observers.watch(driver.state, f"repaired: {healed}")
        return read_fragments(
            root,
            known=ledger.ids(),
            damaged=lambda e: observers.watch(driver.state, f"set aside {e.where}: {e.what}"),
        )

    backend.meanwhile, backend.status = meanwhile, noted.status
    hooks = Hooks(
        watch=observers.watch,
        recover=recover,
        stop_asked=stop_asked,
        board=board,
        groups=observers.groups,
        front=observers.front,
        decided=observers.decided,
        accept_change=accept_change,
        interrupted=noted.why,
        judged=partial(spent_on_judges, root) if has_judge(spec.objectives) else None,
    )
    proposer = proposer_of(spec)
    driver = Driver(spec, ledger, backend, proposer, hooks)
    ended = False
    try:
        reason = driver.run()
        ended = not driver.state.open_runs()
    finally:
        observers.close(ended=ended)
    return reason


def _observers(spec: SweepSpec, backend: Backend, watch: Watching) -> Observers:
    from paretoflow.engine.session.observers import Observers  # it imports Ray

    try:
        return Observers(spec, backend, watch.state, watch.groups)
    except UserError:
        backend.close()
        raise


def _ray_backend() -> Any:
    try:
        module = importlib.import_module("paretoflow.engine.ray.backend")
        importlib.import_module("torch")
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("running a sweep", str(error.name), "train,ray") from error
    return module.RayBackend
