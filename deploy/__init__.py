"""How Cadenza is run: the command line, the embedded servers, the sandbox providers, the demo, the benchmarks."""
