"""Language models: load a base, attach adapters, sample answers, score token sequences.

Needs the `train` extra. Nothing outside a worker group imports it, except `folders`.
"""
