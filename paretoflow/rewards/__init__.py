"""Reward models from preference pairs, for a user who has no scorer yet.

What comes out is a folder for sequence classification that `objectives: {type: reward_model}` of a
sweep loads as it is. A run of `train_rewards` reads the pairs (`pairs`), finds groups of annotators
where the spec asks for them (`groups`), trains (`trainer`), and measures on held-out pairs what was
saved (`metrics`). Importing this package loads no torch.
"""
