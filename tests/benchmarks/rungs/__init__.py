"""What pausing runs at rungs saves, beside no stopping and MO-ASHA's rule."""
