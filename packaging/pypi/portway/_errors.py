"""The error of this package."""

from __future__ import annotations

import re
from collections.abc import Sequence


class PortwayError(Exception):
    """A failure with what failed, where, and what to do about it.

    `code` does not change between versions: it is one of Portway's error codes, or one of this package.
    """

    def __init__(self, code: str, message: str, hints: Sequence[str] = ()) -> None:
        lines = [message, *(f"help: {hint}" for hint in hints)]
        # Names of directories and processes can contain characters that control a terminal.
        super().__init__(re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\ufffd", "\n".join(lines)))
        self.code = code
        self.hints = list(hints)
