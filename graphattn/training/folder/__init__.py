"""Folders of saved models: what is in them, how they are checked, written and read."""
