"""The driver's loop: what to do next, and doing it."""
