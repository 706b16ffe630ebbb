"""TOOL LOW HIGH LOW HIGH: prints a port of each range."""

import sys
from importlib import import_module


def found(low, high):
    try:
        return find(low, high)
    except Exception:
        return 0


find = import_module(f"tools.{sys.argv[1]}").find
low, high, low2, high2 = map(int, sys.argv[2:])
print(found(low, high), found(low2, high2))
