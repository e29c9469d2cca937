"""Worker groups over a transport: found, adopted, watched, fenced and replaced. Without Ray."""
