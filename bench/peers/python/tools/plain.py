import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "finders"))
from finder import find  # noqa: E402, F401
