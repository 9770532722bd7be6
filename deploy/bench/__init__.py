"""`make bench`: Cadenza measured against what it could be compared with, on this machine, in one run."""
