"""A model of providers, workers and people on the engine's own functions, and the promises that it must keep."""
