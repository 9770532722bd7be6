"""The measures, in the order of issue and documentation."""
