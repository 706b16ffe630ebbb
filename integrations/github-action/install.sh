# Installs a version of Portway for the later steps of the job.
#
# VERSION        the version
# DOWNLOAD_URL   the directory with the archives and `install.sh`; empty for the release of the version
set -euo pipefail

RELEASES="https://example.org/portway/releases/download"

fail() {
    printf '::error title=Portway::%s\n' "$1"
    exit 1
}

[[ $VERSION =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] ||
    fail "the input \`version\` is not a version such as 0.1.0"
url="${DOWNLOAD_URL:-$RELEASES/v$VERSION}"
bin="$RUNNER_TEMP/portway-$VERSION/bin"
script="$RUNNER_TEMP/portway-$VERSION/install"
mkdir -p "$bin"
# The scripts compare the archive with its checksum.
export PORTWAY_DOWNLOAD_URL="$url" PORTWAY_INSTALL_DIR="$bin"
if [ "$RUNNER_OS" = Windows ]; then
    curl --fail --silent --show-error --location --output "$script.ps1" "$url/install.ps1"
    pwsh -NoProfile -File "$script.ps1"
else
    curl --fail --silent --show-error --location --output "$script.sh" "$url/install.sh"
    sh "$script.sh"
fi
installed="$("$bin/portway" --version)"
[ "$installed" = "portway $VERSION" ] || fail "$url contains $installed, not $VERSION"
echo "$bin" >>"$GITHUB_PATH"
