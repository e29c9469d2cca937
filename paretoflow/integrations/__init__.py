"""Proposers as plug-ins of other tuners, which launch the trials.

asking      the common bridge: trials in, the next launch out
ray_tune    a searcher for Ray Tune, and the rule of the rungs as a trial scheduler
optuna      a sampler for Optuna's studies with several directions

Each loads its library on import and has no rule of its own: the proposer chooses the next launch,
the tuner starts and trains it.
"""
