"""Reward models from preference pairs, for a user who has no scorer yet.

The output is a folder for sequence classification that `objectives: {type: reward_model}` of a
sweep loads as it is. `train_rewards` reads the pairs (`pairs`), finds groups of annotators where
the spec requests them (`groups`), trains (`trainer`), and measures the saved models on held-out
pairs (`metrics`). Importing this package loads no torch.
"""
