"""Evaluate policies: sample answers, score them and check the scores."""
