"""Read a sweep from its folder; only confirmations write to it."""
