"""Measures the coverage of intervals on synthetic sweeps with known truth."""
