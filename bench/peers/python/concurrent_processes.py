"""TOOL LOW HIGH MILLISECONDS: find a port, wait like a server that starts, and listen on the port
until standard input is closed. Prints the port and whether listening succeeded."""

import socket
import sys
import time
from importlib import import_module

find = import_module(f"tools.{sys.argv[1]}").find
low, high, wait = map(int, sys.argv[2:])
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
port = 0
try:
    port = find(low, high)
    time.sleep(wait / 1000)
    server.bind(("0.0.0.0", port or -1))
    server.listen()
    print(port, "bound", flush=True)
except Exception:
    print(port or 0, "failed", flush=True)
sys.stdin.read()
