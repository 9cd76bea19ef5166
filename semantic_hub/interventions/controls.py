"""Names of the controls that interventions have beside the effect."""

PLACEBO = "placebo"
"""Random direction, or random activations, of equal norm."""

ANOTHER_SOURCE = "another source"
"""Activations of another patch pair's source, whose answer is another one."""
