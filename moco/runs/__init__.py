"""A run in its folder: its stages, its settings, its time."""
