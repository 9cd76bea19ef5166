"""Lenses that are fitted: tuned lenses, Jacobian lenses, least squares."""
