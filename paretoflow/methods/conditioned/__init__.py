"""One artifact, many preferences: what the conditioned methods share.

serving     which preferences a checkpoint serves, each with how to ask for it
directions  preferences as unit vectors, and their neighbours
goals       a preference as scores to reach, and scores worth learning from
wording     goals and directions as words in a prompt
stages      what a run learns from, stage after stage: the base's answers, then its own
sampling    answers of the policy in training, scored
sft         TRL's supervised trainer on such stages
"""
