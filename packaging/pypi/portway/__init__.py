"""Portway: give every service of every checkout its own port."""

from portway._find import find_binary

__all__ = ["find_binary"]
