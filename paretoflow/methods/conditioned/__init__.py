"""Methods that train one artifact for many preferences.

stages, sft      training examples by stage, and their trainer
sampling         prompts with a condition, and sampled answers of the policy in training
prompts          preferences as words in a prompt
serving          the preferences that a checkpoint serves, and the condition for each
control_tokens   spare words of the vocabulary that encode scores (`meet`)
heads            one output head for each objective (`mah_dpo`)
"""
