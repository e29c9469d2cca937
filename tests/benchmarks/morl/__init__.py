"""C-MORL's own setting, multi-objective reinforcement learning, with the unchanged engine.

    worlds     three environments of MO-Gymnasium as arrays: many episodes at once
    policy     an actor, and a critic with a value for each objective
    ppo        rollouts, advantages for each objective, PPO's update
    barrier    the barrier that keeps frozen thresholds
    training   one launch from its start to its last policy, and the measurement of policies
    executor   the executor: `engine.runtime.protocols.RunExecutor` without a language model
    sweep      the engine's driver, ledger and proposers over a pool of processes
    measured   worth of a front, in MO-Gymnasium itself
    spec       the spec of a job in `jobs`
    __main__   the table of `results/morl.md`

An executor that reports calibration, evaluations and ends as rows of the ledger is enough to sweep
any training. The engine has these gaps for users who do not train language models: `SweepSpec`
requires a model and data, which are unused here. Its objectives and methods are closed unions, so
that a job needs its own spec class and loader. `paretoflow run` loads no other class, and looks up
the capabilities of a method in a closed catalogue. Rows call environment steps tokens and episodes
prompts; reports and exports show answers and adapters.
"""
