"""Scored answers as preferences: pairs, lists and labels, for any weights."""
