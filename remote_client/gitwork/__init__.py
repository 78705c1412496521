"""What the office may have done to work in git: checked, published, merged, looked at for conflicts to come.

Only what the machine's policy allows; only on branches of ours; each step may be done twice without harm.
"""
