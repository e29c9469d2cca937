"""Language models: load a base, hang adapters on it, sample from it, score token sequences with it.

Needs the `train` extra; nothing outside a gang imports it.
"""
