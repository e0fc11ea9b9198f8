"""Runs tapeworks and its peers side by side and reports what each needed. Entry point: bench/compare.py.

The process that measures imports the standard library only, so that it is small and can start at once;
whatever needs pyarrow, numpy or a peer runs as a child (`python -m tapebench.MODULE`).
"""
