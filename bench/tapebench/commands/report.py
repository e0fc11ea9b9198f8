"""`compare.py x`: later."""
def add_options(p): pass
