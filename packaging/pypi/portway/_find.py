"""Find the binary that this package has installed."""

import os
import sys
import sysconfig

_NAME = "portway.exe" if sys.platform == "win32" else "portway"


def find_binary() -> str:
    """Return the path of the binary. Raise FileNotFoundError if it is missing."""
    user = sysconfig.get_preferred_scheme("user")
    directories = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", scheme=user)]
    # `pip install --target DIR` installs scripts into `DIR/bin`.
    package = os.path.dirname(os.path.abspath(__file__))
    directories.append(os.path.join(os.path.dirname(package), "bin"))
    for directory in directories:
        path = os.path.join(directory, _NAME)
        if os.path.isfile(path):
            return path
    raise FileNotFoundError(
        f"the binary `{_NAME}` of the package `portway` is not in {', '.join(directories)}; "
        "run `python -m pip install --force-reinstall portway`"
    )
