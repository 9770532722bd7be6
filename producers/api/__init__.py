"""The HTTP API: for now what providers call, and what watches over us."""
