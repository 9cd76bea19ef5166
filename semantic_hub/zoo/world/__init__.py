"""The small world that hub-mini knows: facts, sums, programs, scenes, in five languages."""
