"""How much probability does a layer give to the words of each language?

`word_lists` and `table` say which tokens are of which language, `measure` adds them up.
"""
