"""Epochs: fit, optimisers, schedule, validation, and whoever listens."""
