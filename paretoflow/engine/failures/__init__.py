"""From an error to the boundary that it crossed, and to what is done about it."""
