"""What happens when a state of one prompt is put into another?

`exchange` says what is put where, `sweep` runs every layer, `result` holds the answers.
"""
