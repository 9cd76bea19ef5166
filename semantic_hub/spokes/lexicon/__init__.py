"""Words with their meanings in many languages: numbers, names, a dictionary."""
