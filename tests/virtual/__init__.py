"""A cluster in virtual time for the worker groups of `paretoflow.engine.groups`.

Pool, monitor, discovery, handles, workers and mailboxes are the real ones: only the processes, the
network, the nodes and the training are played, and all of them fail as a seed says. `transport` is
the seam, `cluster` the nodes and what waits for them, `process` a worker's process, `executor` what
it trains, `faults` what befalls them.
"""
