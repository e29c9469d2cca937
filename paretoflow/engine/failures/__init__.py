"""Map an error to the boundary that it crossed, and to the response."""
