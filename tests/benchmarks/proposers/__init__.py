"""Proposers and peers on problems with a known front, in virtual time.

See python -m tests.benchmarks.proposers --help. The modules, in the order in which they build on
each other:

    trainable        problems as functions of x, for an oracle that optimises
    problems         fronts with a name, a family and the split into tuning and verdict
    llm              the oracle of `engine.simulation.llm_like` as a problem
    sealed, many     problems that nothing was tuned on; six objectives
    oracles          results of launches: exact, by a truncated optimiser, or from recorded runs
    weather          noise, failures, run times and stragglers of one sweep
    virtual_sweep    a sweep's loop: proposes, waits, measures, scores the proposer's claims
    peers, optuna_peers, botorch_peer    common alternatives, behind `propose`
    field            the participants: each of our proposers, each peer
    cells            the grid of sweeps, on two processes; continues after an interruption
    scores, tables   from cells to results/proposers.md
    small            separate sweeps of 5 to 64 runs: results/proposers_small.md
    decision_time    seconds for a decision with 10,000 evaluations
"""
