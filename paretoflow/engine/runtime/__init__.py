"""The work of a worker, without Ray."""
