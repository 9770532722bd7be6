"""Everything that puts work in."""
