"""Is the evidence on a set, and on a spoke, enough to call it supported?

`judging` collects margins and corrects them, `rule` decides, `result` holds the verdicts.
"""
