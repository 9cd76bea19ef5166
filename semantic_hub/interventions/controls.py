"""Names of the controls that interventions have beside the effect."""

PLACEBO = "placebo"
"""Random direction, or random activations, of equal norm."""

STATES_PLACEBO = "placebo, states' covariance"
"""Random activations of equal norm, drawn from the covariance of the states that are patched."""

ANOTHER_SOURCE = "another source"
"""Activations of another patch pair's source, whose answer is another one."""
