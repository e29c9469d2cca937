"""The driver's loop: decides what to do next and does it."""
