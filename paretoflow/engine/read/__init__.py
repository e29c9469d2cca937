"""Read a sweep from its folder; nothing here writes to it but a confirmation."""
