"""Thresholds of constrained launches, and the control that keeps them."""
