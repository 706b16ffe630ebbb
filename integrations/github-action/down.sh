# Stops the services of the present directory.
set -euo pipefail

command -v portway >/dev/null || exit 0
portway down
