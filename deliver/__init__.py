"""Finished artifacts to where they are used: servers' own layouts, and the hub."""
