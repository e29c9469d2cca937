"""Control tokens: a spare word of the vocabulary for each bin of each objective's scores.

bins       scores to bins, and preferences to the bins that they ask for
words      which words of the vocabulary are spare, and the prefix that they make
embedding  the low-rank deltas of the embeddings, those of the control tokens alone trained
"""
