"""The co-design search: its objectives, where it begins, and which chips a network gets."""
