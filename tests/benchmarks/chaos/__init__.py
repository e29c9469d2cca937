"""Kills real sweeps and fills their disks at random moments; counts lost and doubled results."""
