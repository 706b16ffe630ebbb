#!/bin/sh
# Install Portway from an archive.
#
# PORTWAY_DOWNLOAD_URL   the directory that contains the archives; a `file:` URL works as well
#                        [default: @URL@]
# PORTWAY_INSTALL_DIR    where the binary is installed [default: ~/.local/bin]
set -eu

VERSION="@VERSION@"

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

target() {
    case "$(uname -s) $(uname -m)" in
@TARGETS@
        *) fail "there is no archive for $(uname -s) on $(uname -m); build Portway from source" ;;
    esac
}

download() {
    if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --output "$2" "$1"
    elif command -v wget >/dev/null; then
        wget --quiet --output-document "$2" "$1"
    else
        fail "neither curl nor wget is installed"
    fi || fail "cannot download $1"
}

# Checks a file of the present directory against FILE.sha256.
verify() {
    if command -v sha256sum >/dev/null; then
        sha256sum --check "$1.sha256" >/dev/null 2>&1
    elif command -v shasum >/dev/null; then
        shasum -a 256 --check "$1.sha256" >/dev/null 2>&1
    else
        fail "neither sha256sum nor shasum is installed"
    fi || fail "the checksum of $1 is wrong; nothing was installed"
}

# In a function, so that nothing runs if this script arrives incomplete.
main() {
    url="${PORTWAY_DOWNLOAD_URL:-@URL@}"
    bin="${PORTWAY_INSTALL_DIR:-${HOME:?}/.local/bin}"
    target="$(target)"
    name="portway-$VERSION-$target"
    work="$(mktemp -d)"
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    download "$url/$name.tar.gz" "$name.tar.gz"
    download "$url/$name.tar.gz.sha256" "$name.tar.gz.sha256"
    verify "$name.tar.gz"
    tar -xzf "$name.tar.gz"
    mkdir -p "$bin"
    # A running Portway keeps its file: the new one gets its name in one step.
    cp "$name/portway" "$bin/.portway.$$"
    chmod 755 "$bin/.portway.$$"
    mv -f "$bin/.portway.$$" "$bin/portway"
    echo "installed Portway $VERSION as $bin/portway"
    case ":$PATH:" in
        *":$bin:"*) ;;
        *) echo "add $bin to PATH to run it as \`portway\`" ;;
    esac
}

main
