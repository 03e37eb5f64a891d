"""Model files, and the checks of what comes from outside."""
