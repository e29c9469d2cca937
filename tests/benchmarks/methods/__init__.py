"""Every method at equal budget: on the embedded task, and where the true front is known."""
