"""From what the user passes to sequences, and from sequences to batches."""
