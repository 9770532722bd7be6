"""The command line, `cadenza`: the composition root."""
