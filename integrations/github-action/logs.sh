# Collects the logs and the state of the services of the present directory.
set -euo pipefail

command -v portway >/dev/null || exit 0
directory="$RUNNER_TEMP/portway-logs"
mkdir -p "$directory"
# A part that is missing, such as the logs of services that were never started, is no failure.
portway logs --color never >"$directory/services.log" 2>"$directory/errors.log" || true
portway ps --json >"$directory/instances.json" 2>>"$directory/errors.log" || true
portway doctor --json >"$directory/doctor.json" 2>>"$directory/errors.log" || true
echo "directory=$directory" >>"$GITHUB_OUTPUT"
