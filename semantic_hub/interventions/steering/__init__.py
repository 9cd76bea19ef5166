"""What happens when a direction is added to the residual stream?

`direction` and `contrasts` make directions, `hook` adds them, `sweep` counts outcomes.
"""
