"""Threads, interrupts, memory, files, random streams, and scikit-learn's private parts."""
