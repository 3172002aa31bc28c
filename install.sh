#!/bin/sh
# Installs a release of redrill into ~/.local/bin, or where --to says. Nothing is installed whose checksum is not that of
# the release; where GitHub's `gh` is there and logged in, neither is what the release workflow did not build.
#
#   sh install.sh [--version 0.1.0] [--to DIR]
set -eu

repository='https://github.com/OWNER/redrill'
# For a mirror: a folder of releases, each of which has the files of one under its tag.
from=${REDRILL_RELEASES:-$repository/releases/download}
version='0.1.0'
to=${HOME:-}/.local/bin

fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
    --version | --to) [ $# -ge 2 ] || fail "$1 needs a value" ;;
    esac
    case $1 in
    --version) version=${2#v} && shift 2 ;;
    --to) to=$2 && shift 2 ;;
    *) fail "unknown option $1; there are --version and --to" ;;
    esac
done

case $(uname -s) in
Linux) system=unknown-linux-musl ;;
Darwin) system=apple-darwin ;;
*) fail "there is no archive for $(uname -s) here; see $repository/releases" ;;
esac
case $(uname -m) in
x86_64 | amd64) processor=x86_64 ;;
aarch64 | arm64) processor=aarch64 ;;
*) fail "there is no archive for $(uname -m); \`cargo install redrill --locked\` builds one" ;;
esac
name=redrill-$version-$processor-$system

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

# Nothing but HTTPS, unless a mirror was named.
fetch() {
    if command -v curl > /dev/null; then
        case $from in
        https:*) curl --proto '=https' --tlsv1.2 -fsSL --retry 3 -o "$folder/$1" "$from/v$version/$1" ;;
        *) curl -fsSL --retry 3 -o "$folder/$1" "$from/v$version/$1" ;;
        esac
    elif command -v wget > /dev/null; then
        wget -q -O "$folder/$1" "$from/v$version/$1"
    else
        fail 'needs curl or wget'
    fi || fail "cannot fetch $from/v$version/$1"
}

fetch SHA256SUMS
fetch "$name.tar.gz"
wanted=$(awk -v name="$name.tar.gz" '$2 == name { print $1 }' "$folder/SHA256SUMS")
[ -n "$wanted" ] || fail "SHA256SUMS of $version has no $name.tar.gz"
if command -v sha256sum > /dev/null; then
    has=$(sha256sum "$folder/$name.tar.gz" | cut -d ' ' -f 1)
elif command -v shasum > /dev/null; then
    has=$(shasum -a 256 "$folder/$name.tar.gz" | cut -d ' ' -f 1)
else
    fail 'needs sha256sum or shasum to verify what it has fetched'
fi
[ "$has" = "$wanted" ] || fail "$name.tar.gz has the checksum $has, and the release says $wanted: not installed"

verified=checksum
if command -v gh > /dev/null && gh auth status > /dev/null 2>&1; then
    gh attestation verify "$folder/$name.tar.gz" --repo "${repository#https://github.com/}" \
        --signer-workflow "${repository#https://github.com/}/.github/workflows/release.yml" > /dev/null ||
        fail "$name.tar.gz was not built by the release workflow of $repository: not installed"
    verified='checksum and attestation'
fi

tar -xzf "$folder/$name.tar.gz" -C "$folder"
mkdir -p "$to"
# Renamed into place: whoever runs the old one now is not disturbed.
cp "$folder/$name/redrill" "$to/.redrill.new"
chmod 755 "$to/.redrill.new"
mv -f "$to/.redrill.new" "$to/redrill"
printf '%s is in %s (%s verified)\n' "$("$to/redrill" --version)" "$to" "$verified"
case :$PATH: in
*:"$to":*) ;;
*) printf '%s is not in your PATH yet\n' "$to" ;;
esac
