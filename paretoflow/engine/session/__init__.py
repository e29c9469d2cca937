"""Open, resume, run and end a sweep."""
