"""Geometry of the front: pure functions on arrays of gains; nothing here trains, scores or stores.

    orient          scores to gains and back; the only sign flip in the project
    dominance       which points are non-dominated, and the ranks behind them
    archive         the front kept up to date one row at a time
    hypervolume     the volume a front dominates, exclusive contributions, improvement
    indicators      expected utility, IGD+, additive epsilon, cardinality, sparsity, crowding
    bootstrap       interval of the hypervolume from the scores of single prompts
    simplex         preference weights: lattices, orders, uniform draws
    selection       which point of a front to take
    pymoo_bridge    pymoo behind gains; the only negation for its sake
    checks          what every function here refuses

Gains are finite and larger is better. Everything refuses nan and infinity, since one such row would
push every real point off the front; failed evaluations therefore never reach this package.
`simplex`, `orient` and `archive` load no pymoo, and the others load it when they first need it.
"""
