"""Measures the recorder under load, and its peers. Entry point: bench/recorder.py.

As in the rest of the bench, the process that measures imports the standard library only.
"""
