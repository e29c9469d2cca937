"""The state of a sweep, folded from the events of its ledger."""
