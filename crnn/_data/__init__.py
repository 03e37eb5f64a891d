"""What the user passed -> sequences -> batches."""
