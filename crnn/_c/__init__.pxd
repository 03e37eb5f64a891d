# What the kernels include.
