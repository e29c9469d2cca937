"""Worker groups in virtual time, over an oracle."""
