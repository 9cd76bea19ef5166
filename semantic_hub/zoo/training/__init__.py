"""How hub-mini was trained, and how it is evaluated."""
