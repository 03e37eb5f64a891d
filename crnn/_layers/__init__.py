"""The network: its parameters, its layers, and the public SimpleRNN."""
