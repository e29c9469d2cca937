"""PPO with a value for each objective; the advantage becomes one number only at the actor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretoflow.core.values import FloatArray, IntArray
from tests.benchmarks.morl.barrier import Barrier
from tests.benchmarks.morl.policy import Policy
from tests.benchmarks.morl.spec import PpoSpec
from tests.benchmarks.morl.worlds import BoolArray, World


@dataclass(frozen=True)
class Rollout:
    """t steps of n episodes; c channels are the objectives and the barrier.

    Args:
        features: Shape (t, n, f).
        actions: Shape (t, n).
        logprobs: Of the actions, shape (t, n).
        values: Shape (t, n, c).
        rewards: Shape (t, n, c).
        over: Whether an episode was over after the step, shape (t, n).
        last_values: After the last step, shape (n, c).
        returns: Discounted returns of the episodes that ended, shape (k, m).
    """

    features: NDArray[np.float32]
    actions: IntArray
    logprobs: FloatArray
    values: FloatArray
    rewards: FloatArray
    over: BoolArray
    last_values: FloatArray
    returns: FloatArray


def advantages(
    rewards: FloatArray,
    values: FloatArray,
    over: BoolArray,
    last_values: FloatArray,
    discounts: FloatArray,
    trace: float,
) -> FloatArray:
    """Return generalised advantages, for each channel by itself.

    By hand: one episode of two steps, discount 1/2, trace 1, rewards 0 and 4, values 1 and 2: the
    second step has 4 - 2 = 2; the first 0 + 2/2 - 1 = 0, and half of the second's: 1.

    Args:
        rewards: Shape (t, n, c).
        values: Shape (t, n, c).
        over: Shape (t, n).
        last_values: Shape (n, c).
        discounts: Shape (c,).
        trace: Lambda: 0 trusts the critic, 1 the rewards alone.

    Returns:
        Shape (t, n, c).

    References:
        Schulman et al. (2016), arXiv 1506.02438, eq. 16.
    """
    found = np.zeros_like(rewards)
    follows, running = last_values, np.zeros_like(last_values)
    for t in range(len(rewards) - 1, -1, -1):
        goes_on = discounts * ~over[t][:, None]
        error = rewards[t] + goes_on * follows - values[t]
        running = error + trace * goes_on * running
        found[t], follows = running, values[t]
    return found


class Ppo:
    """Improves a policy towards weights, one rollout at a time.

    Args:
        policy: Is changed.
        spec: The knobs.
        discounts: Of each channel, shape (c,).
        seed: Of the order in which samples are learnt from.

    References:
        Schulman et al. (2017), arXiv 1707.06347. Liu et al. (2024), arXiv 2410.02236, sec. 5.1: a
        vector-valued critic, and A_w = w . A at the actor alone.
    """

    def __init__(self, policy: Policy, spec: PpoSpec, discounts: FloatArray, seed: int) -> None:
        self._policy = policy
        self._spec = spec
        self._discounts = discounts
        self._optimizer = torch.optim.Adam(
            policy.parameters(), lr=spec.learning_rate, eps=1e-5, fused=True
        )
        self._generator = torch.Generator().manual_seed(seed)

    def improve(self, rollout: Rollout, weights: FloatArray, progress: float) -> None:
        """Learn from a rollout.

        Args:
            rollout: What the policy just did.
            weights: Of the channels, shape (c,).
            progress: Share of the run that is done, from 0 to 1: rate and entropy fall with it.
        """
        spec, left = self._spec, 1.0 - progress
        for group in self._optimizer.param_groups:
            group["lr"] = spec.learning_rate * (1.0 - spec.decay * progress)
        found = advantages(
            rollout.rewards,
            rollout.values,
            rollout.over,
            rollout.last_values,
            self._discounts,
            spec.trace,
        )
        wanted = found @ weights
        wanted = (wanted - wanted.mean()) / (wanted.std() + 1e-8)
        flat = {
            "features": rollout.features.reshape(-1, rollout.features.shape[-1]),
            "actions": rollout.actions.reshape(-1),
            "before": rollout.logprobs.reshape(-1).astype(np.float32),
            "targets": (found + rollout.values).reshape(-1, found.shape[-1]).astype(np.float32),
            "wanted": wanted.reshape(-1).astype(np.float32),
        }
        data = {name: torch.from_numpy(array) for name, array in flat.items()}
        size = len(data["actions"])
        for _ in range(spec.epochs):
            order = torch.randperm(size, generator=self._generator)
            for part in order.split(-(-size // spec.minibatches)):
                self._step({n: x[part] for n, x in data.items()}, spec.entropy * left)

    def _step(self, data: dict[str, Tensor], entropy: float) -> None:
        logits, values = self._policy(data["features"])
        chosen = logits.gather(1, data["actions"][:, None])[:, 0]
        ratio = (chosen - data["before"]).exp()
        clipped = ratio.clamp(1 - self._spec.clip, 1 + self._spec.clip)
        gain = torch.minimum(ratio * data["wanted"], clipped * data["wanted"]).mean()
        spread = -(logits.exp() * logits).sum(-1).mean()
        error = (values - data["targets"]).square().mean()
        loss = -gain - entropy * spread + 0.5 * error
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._policy.parameters(), self._spec.max_grad_norm)
        self._optimizer.step()


class Runner:
    """Plays a world's episodes on and on with a policy that learns between rollouts.

    Args:
        world: Fresh.
        policy: Chooses the actions.
        spec: How many episodes at once, and for how many steps.
        scale: What rewards are divided by, shape (m,).
        discount: Of the objectives.
        barrier: Worth of an episode's returns, paid out as they come in: what it gains in a step
            is that step's reward in the last channel. None without thresholds.
    """

    def __init__(
        self,
        world: World,
        policy: Policy,
        spec: PpoSpec,
        scale: FloatArray,
        discount: float,
        barrier: Barrier | None,
    ) -> None:
        self._world = world
        self._policy = policy
        self._spec = spec
        self._scale = scale
        self._discount = discount
        self._barrier = barrier
        self._horizon = min(spec.horizon or world.horizon, world.horizon)
        self._age = np.zeros(spec.episodes, dtype=np.int64)
        self._returns = np.zeros((spec.episodes, world.objectives))
        self._paid = self._worth()
        world.begin(spec.episodes)

    def play(self) -> Rollout:
        """Return the next steps of all episodes."""
        steps, ended_returns = [], []
        for _ in range(self._spec.rollout):
            features = self._world.features()
            logprobs, values = self._look(features)
            actions = self._drawn(logprobs)
            step = self._world.step(actions)
            rewards = step.rewards / self._scale
            self._returns += rewards * (self._discount**self._age)[:, None]
            self._age += 1
            over = step.ended | (self._age >= self._horizon)
            if over.any():
                ended_returns.append(self._returns[over])
            worth = self._worth()
            channels = np.concatenate([rewards, (worth - self._paid)[:, None]], axis=1)
            self._paid = worth
            chosen = logprobs[np.arange(len(actions)), actions]
            steps.append((features, actions, chosen, values, channels, over))
            self._again(over)
        _, last = self._look(self._world.features())
        features, actions, chosen, values, channels, over = map(np.stack, zip(*steps, strict=True))
        returns = np.concatenate([np.empty((0, self._world.objectives)), *ended_returns])
        return Rollout(features, actions, chosen, values, channels, over, last, returns)

    def _again(self, over: BoolArray) -> None:
        self._world.restart(over)
        self._age[over] = 0
        self._returns[over] = 0.0
        self._paid[over] = self._worth()[over]

    def _worth(self) -> FloatArray:
        """Return what the returns so far are worth beside themselves, shape (n,)."""
        if self._barrier is None:
            return np.zeros(len(self._returns))
        return self._barrier.worth(self._returns)

    def _look(self, features: NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
        with torch.inference_mode():
            logprobs, values = self._policy(torch.from_numpy(features))
        return logprobs.numpy().astype(np.float64), values.numpy().astype(np.float64)

    def _drawn(self, logprobs: FloatArray) -> IntArray:
        noise = self._world.rng.gumbel(size=logprobs.shape)
        return np.asarray((logprobs + noise).argmax(axis=1))
