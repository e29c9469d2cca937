"""A job YAML over the circle oracle, for commands that need no training."""

from __future__ import annotations

CIRCLE = """\
name: circle
seed: 3
objectives:
  - {name: left, type: regex, pattern: x, direction: maximize, range: [0, 1], ref: -0.1}
  - {name: right, type: regex, pattern: x, direction: maximize, range: [0, 1], ref: -0.1}
stop: {runs: 6}
"""
ORACLE = "tests.sim.oracles:CircleOracle"
