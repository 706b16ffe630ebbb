"""`python -m portway`: run the binary of this package."""

import os
import sys

from portway._find import find_binary


def main() -> None:
    """Become Portway; on Windows, run it and end with its exit code."""
    command = [find_binary(), *sys.argv[1:]]
    if sys.platform != "win32":
        os.execv(command[0], command)
    import subprocess

    try:
        code = subprocess.run(command).returncode
    except KeyboardInterrupt:
        # The console has sent Ctrl-C to Portway as well.
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
