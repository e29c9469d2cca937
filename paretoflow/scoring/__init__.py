"""From answers to checked scores: what a sweep believes about a policy is decided here."""
