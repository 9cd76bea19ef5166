"""What does a model write, and how good is it?

`generation` samples texts, `scorers` and `perplexity` score them, `steering` sweeps directions.
"""
