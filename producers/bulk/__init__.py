"""Bulk enrollment from files."""
