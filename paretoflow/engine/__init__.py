"""The loop that turns a spec into a front: plan, launch, record.

    planner, state, driver   decides (pure); folds the ledger's events; loops
    backend, surroundings    what the driver works with, and whom it hears from and tells
    ray_backend              runs on Ray: `roster` has the slots, `muster` makes and finds gangs,
                             `gangs` and `member` are the driver's side of one, `gang` and `desk`
                             the rank's, `admission` its turn for resources
    worker, train_launcher   what a rank keeps loaded; the same under Ray Train (`workshop`: the
                             contract of both), `run_files` where a run's adapters and states lie
    faults, losses           the boundary of a failure; what Ray says of a lost process
    simulated…, weather      the same gangs in virtual time, over an oracle
    oracles, oracle_answers  what an oracle is, and how it is asked; `llm_like` is one
    session, resume          open a sweep and run it; go on with one from its folder
    submit, dashboard, room  hand a sweep over to a cluster, and see whether it fits
    sweep, standing, sides   read a sweep: for reports, for `status`, for `diff`
    live, stopping           files beside the ledger: what gangs do now, a request to stop
    audience, metrics        who is told: displays, trackers, Prometheus

What decides is pure or knows only the ledger; what touches Ray is thin.
"""
