"""Savings by pausing runs at rungs, compared with no stopping and MO-ASHA's rule."""
