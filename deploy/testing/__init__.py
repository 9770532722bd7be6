"""For users' tests of their own sequences: the pytest fixture `cadenza`."""
