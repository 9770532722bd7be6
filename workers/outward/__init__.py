"""What actions tell the world outside: by threads of their own, so that nothing else waits for a slow receiver."""
