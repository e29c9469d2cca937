"""The kinds of launch that methods take."""

TRAINING_LAUNCHES = ("weighted", "constrained")
"""What every method that trains takes."""
