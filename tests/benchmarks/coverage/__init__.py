"""Whether intervals hold the truth as often as they say, on made-up sweeps whose truth is known."""
