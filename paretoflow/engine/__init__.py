"""The loop that turns a spec into a front: plan, launch, record.

A package imports only what stands below it here:

    session      open, resume, run, confirm and end a sweep; who is told while it runs
    loop         driver and planner; pausing at rungs; what the driver hears and tells (`hooks`)
    ray          worker groups on Ray; beside it `simulation`: the same in virtual time
    read         read a sweep: for reports, for `status`, for `diff`
    runtime      what a worker does, without Ray; beside it `cluster`: nodes, capacity, submission
    state        the state of a sweep, folded from its ledger's events; the rows of those events
    failures     from an error to the boundary that it crossed; outages; backing off

At the bottom are `messages` (between driver and backend), `live` (what worker groups do now),
and `oracles` (what a simulation asks, for those who write one).

What decides is pure or knows only the ledger; what touches Ray is thin.
"""
