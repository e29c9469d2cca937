"""One artifact, many preferences.

stages, sft      what a run learns from, stage after stage, and the trainer that learns it
sampling         prompts with their condition, and answers of the policy in training to them
prompts          preferences as words in a prompt
serving          which preferences a checkpoint serves, and how each is asked for
control_tokens   spare words of the vocabulary that stand for scores (`meet`)
heads            one output head for each objective (`mah_dpo`)
"""
