"""The observers of a running sweep: its display, Ray's metrics and experiment trackers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from paretoflow.engine.failures.attribution import trouble_in
from paretoflow.engine.live import GroupState
from paretoflow.engine.messages import Backend
from paretoflow.engine.ray.metrics import SweepMetrics
from paretoflow.engine.session.folder import sweep_root
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.tables import FrontRecord
from paretoflow.spec.sweep import SweepSpec
from paretoflow.tracking.following import Trackers, facts_of


class Observers:
    """Forwards a driver's callbacks to the observers; create it once Ray is initialised.

    Args:
        watch: The display: called with the state and a note.
        groups: The display: called repeatedly with the states of the worker groups.

    Raises:
        MissingExtraError: If a tracker that the spec names is not installed.
    """

    def __init__(
        self,
        spec: SweepSpec,
        backend: Backend,
        watch: Callable[[SweepState, str], None],
        groups: Callable[[Sequence[GroupState]], None] = lambda groups: None,
    ) -> None:
        self._backend = backend
        self._display = watch
        self.groups = groups
        self._state = SweepState()
        self._metrics = SweepMetrics(spec.name, spec.engine.price)
        self._trackers = Trackers(
            spec.name, spec.tracking, facts_of(spec), trouble_in, self._warn, sweep_root(spec)
        )

    def watch(self, state: SweepState, note: str) -> None:
        """Report a change of the state, or a stage by its note."""
        self._state = state
        self._display(state, note)
        if self._metrics.due:  # the states of the groups are read only when they are reported
            self._metrics.update(state, self._backend.groups())
        self._trackers.follow(state)

    def front(self, record: FrontRecord) -> None:
        """Report an accepted front."""
        self._metrics.front(record)
        self._trackers.front(record)

    def decided(self, seconds: float) -> None:
        """Report the duration of a decision, commit included."""
        self._metrics.decided(seconds)

    def close(self, *, ended: bool) -> None:
        """Report the last state to metrics and trackers.

        Args:
            ended: Whether the sweep's budget is used up.
        """
        self._metrics.update(self._state, (), now=True)
        self._trackers.close(ended=ended)

    def _warn(self, text: str) -> None:
        self._display(self._state, text)
