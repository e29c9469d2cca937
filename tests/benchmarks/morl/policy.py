"""An actor and a critic with a value for each objective."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

if TYPE_CHECKING:
    from tests.benchmarks.morl.worlds import World

FILE = "policy.safetensors"


class Policy(nn.Module):
    """Two small networks: logits of the actions, and a value for each channel.

    The channels are the m objectives and, last, the barrier of a constrained launch.

    Args:
        world: Tells how much is seen, and how many actions and objectives there are.
        hidden: Units of each of the two hidden layers.
    """

    def __init__(self, world: type[World], hidden: int) -> None:
        super().__init__()
        self.actor = _network(world.width, hidden, world.actions, last_gain=0.01)
        self.critic = _network(world.width, hidden, world.objectives + 1, last_gain=1.0)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-probabilities, (n, actions), and values, (n, m + 1)."""
        return self.actor(features).log_softmax(-1), self.critic(features)

    def save(self, folder: Path) -> None:
        """Write the parameters to a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.state_dict(), folder / FILE)

    def load(self, folder: Path) -> None:
        """Take over the parameters in a folder."""
        self.load_state_dict(load_file(folder / FILE))

    def soften(self, factor: float) -> None:
        """Multiply the logits: below 1, what was likeliest stays so, and others are tried again."""
        last: Any = self.actor[-1]
        with torch.no_grad():
            last.weight.mul_(factor)
            last.bias.mul_(factor)


def _network(width: int, hidden: int, outputs: int, last_gain: float) -> nn.Sequential:
    layers = [nn.Linear(width, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, outputs)]
    for layer, gain in zip(layers, (2**0.5, 2**0.5, last_gain), strict=True):
        nn.init.orthogonal_(layer.weight, gain)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])
