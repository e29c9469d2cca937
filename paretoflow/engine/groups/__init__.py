"""Worker groups over a transport: discovery, adoption, monitoring, fencing, replacement. No Ray."""
