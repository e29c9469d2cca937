"""One training run on a TRL trainer, from a launch to its checkpoints."""
