"""TOOL LOW HIGH LOW HIGH: print a port of each range."""

import sys
from importlib import import_module


def find_or_zero(low, high):
    try:
        return find(low, high)
    except Exception:
        return 0


find = import_module(f"tools.{sys.argv[1]}").find
low, high, low2, high2 = map(int, sys.argv[2:])
print(find_or_zero(low, high), find_or_zero(low2, high2))
