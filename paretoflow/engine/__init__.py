"""The loop that turns a spec into a front: plan, launch, record.

A package imports only from packages below it in this list:

    session      open, resume, run, confirm and end a sweep; observers of a running sweep
    loop         driver and planner; pausing at rungs; callbacks of the driver (`hooks`)
    ray          worker groups on Ray; beside it `simulation`: the same in virtual time
    read         read a sweep: for reports, for `status`, for `diff`
    runtime      the work of a worker, without Ray; beside it `cluster`: nodes, capacity, submission
    state        the state of a sweep, folded from its ledger's events; the rows of those events
    failures     map an error to the boundary that it crossed; outages; backing off

At the bottom are `messages` (between driver and backend), `live` (current work of worker groups)
and `oracles` (the protocol of a simulation's oracle, for authors of oracles).

Code that decides is pure or reads only the ledger. Code that uses Ray is thin.
"""
