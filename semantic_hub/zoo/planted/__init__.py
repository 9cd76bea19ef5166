"""Models written down by formula, whose every measure has a closed form."""
