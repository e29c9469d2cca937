"""What a worker does, without Ray."""
