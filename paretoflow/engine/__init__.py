"""The loop that turns a spec into a front: plan, launch, record.

`planner` decides (pure), `driver` loops, a `Backend` executes (`ray_backend` for real, `simulated`
in virtual time), `worker` trains and evaluates, `state` folds the ledger's events, `faults` names
the boundary of a failure, `session` opens or resumes a sweep and `sweep` reads one.
"""
