"""Is the evidence on a set, and on a spoke, enough to call it supported?

`judging` collects margins and corrects them, `rule` decides, `lines` are the verdicts on a set and
on a spoke, `picture` shows them in one look, `result` holds all of them.
"""
