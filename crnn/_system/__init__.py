"""Threads, interrupts, memory and files of the machine."""
