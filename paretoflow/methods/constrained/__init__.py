"""What a constrained launch must keep, and how it is kept."""
