"""The ranks of a worker group: joining them, their files, their shards."""
