"""Language models: load a base, hang adapters on it, sample from it, score token sequences with it.

Needs the `train` extra; nothing outside a worker group imports it, but for `folders`.
"""
