"""C-MORL's own setting, multi-objective reinforcement learning, by the engine as it is.

    worlds     three environments of MO-Gymnasium as arrays: many episodes at once
    policy     an actor, and a critic with a value for each objective
    ppo        rollouts, advantages for each objective, PPO's update
    barrier    what keeping frozen thresholds is worth
    training   one launch from its start to its last policy, and how policies are measured
    executor   what a worker does: `engine.runtime.protocols.RunExecutor` without a language model
    sweep      the engine's driver, ledger and proposers over a pool of processes
    measured   what a front is worth, in MO-Gymnasium itself
    spec       what a job in `jobs` may say
    __main__   the table of `results/morl.md`

What any training needs to be swept is here: an executor that tells calibration, evaluations and
ends as the ledger's rows. What the engine lacks for a user who trains something other than language
models: `SweepSpec` has a model and data that nobody reads here, and its objectives and methods are
closed unions, so that a job needs a spec class of its own, and with it a loader; `paretoflow run`
loads no other class, and looks up what a method can do in a closed catalogue. Rows call environment
steps tokens and episodes prompts, and reports and exports show answers and adapters.
"""
