"""Our proposers as plug-ins of other tuners, for trials that they launch and we do not.

asking      the bridge that all share: trials in, the next launch out
ray_tune    a searcher for Ray Tune, and the rungs' rule as a trial scheduler
optuna      a sampler for Optuna's studies with several directions

Each loads its library when it is imported, and holds no rule of its own: which launch comes next is
the proposer's business, when it starts and what it trains is the tuner's.
"""
