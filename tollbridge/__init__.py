"""The command: settings, wiring, `tollbridge serve`. The top floor, and the only package that imports all
others.
"""

__version__ = "0.1.0"
