"""Fixtures for pytest, which finds this plugin by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable

import pytest

from portway._hold import Hold

__all__ = ["Hold", "portway_hold", "portway_port"]


@pytest.fixture
def portway_hold() -> Iterator[Callable[[], Hold]]:
    """A function that holds a further free port. All are released after the test."""
    holds: list[Hold] = []

    def hold() -> Hold:
        holds.append(Hold())
        return holds[-1]

    yield hold
    for one in holds:
        one.release()


@pytest.fixture
def portway_port(portway_hold: Callable[[], Hold]) -> Hold:
    """A free port, as a number, that no other program takes during the test."""
    return portway_hold()
