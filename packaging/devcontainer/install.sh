#!/bin/sh
# The feature of dev containers: installs Portway for all users of the container.
#
# DOWNLOADURL   the option `downloadUrl` of the feature
set -eu

[ -z "${DOWNLOADURL:-}" ] || export PORTWAY_DOWNLOAD_URL="$DOWNLOADURL"
export PORTWAY_INSTALL_DIR="${PORTWAY_INSTALL_DIR:-/usr/local/bin}"
sh "$(dirname "$0")/install-portway.sh"
