"""Everything that takes work out."""
