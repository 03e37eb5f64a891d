"""Displays of what a network learned."""

from crnn.inspection._history import TrainingHistoryDisplay

__all__ = ["TrainingHistoryDisplay"]
