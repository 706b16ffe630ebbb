"""TOOL PORT...: print the ports that the tool reports as free."""

import sys
from importlib import import_module

find = import_module(f"tools.{sys.argv[1]}").find
free = []
for port in map(int, sys.argv[2:]):
    try:
        if find(port, port) == port:
            free.append(port)
    except Exception:
        pass
print(*free)
