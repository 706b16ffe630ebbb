# Starts the services of the present directory and waits until they are ready.
#
# ARGS   arguments of `portway up`, separated by spaces or lines
set -euo pipefail

# At the end of the text, `read` fails.
IFS=$' \t\r\n' read -r -d '' -a arguments <<<"$ARGS" || true
portway up --detach ${arguments[@]+"${arguments[@]}"}
