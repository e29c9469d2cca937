"""Runnable examples of our proposers as plug-ins of other tuners; each is a test."""
