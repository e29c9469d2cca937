"""Which run next: proposers and peers on problems with a known front, in virtual time.

python -m tests.benchmarks.proposers --help says how; the modules, in the order in which they build
on each other:

    trainable        problems as functions of x, for an oracle that optimises
    problems         fronts with a name, a family and the split into tuning and verdict
    llm              the oracle of `engine.simulation.llm_like` as a problem
    sealed, many     problems that nothing was tuned on; six objectives
    oracles          what a launch finds: exactly, by a truncated optimiser, or in recorded runs
    weather          noise, failures, run times and stragglers of one sweep
    virtual_sweep    a sweep's loop: asks, waits, measures, scores what the proposer claims
    peers, optuna_peers, botorch_peer    what people would use instead, behind `propose`
    field            who takes part: each of our proposers, each peer
    cells            the grid of sweeps, on two processes; goes on where it was cut off
    scores, tables   from cells to results/proposers.md
    small            sweeps of 5 to 64 runs, each a sweep of its own: results/proposers_small.md
    decision_time    seconds for a decision with 10,000 evaluations
"""
