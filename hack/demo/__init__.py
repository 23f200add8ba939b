"""`make demo`: from nothing to a running router on this machine, told as it happens."""
