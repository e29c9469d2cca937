"""One artifact, many preferences: what the conditioned methods share.

serving     which preferences a checkpoint serves, each with how to ask for it
directions  preferences as unit vectors, and their neighbours
goals       a preference as scores to reach
wording     goals and directions as words in front of a prompt
examples    (prompt, answer) pairs to learn from, and the rounds that they come in
sft         TRL's supervised trainer on such rounds
"""
