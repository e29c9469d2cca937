"""Methods that learn from the base's scored answers."""
