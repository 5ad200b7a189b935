#!/bin/sh
# Renew requirements.lock from the windows in pyproject.toml. Called by `make lock`; needs uv (fetched into .venv where missing) and the net.
# The lock must work behind any package mirror, so it may not say where anything was downloaded from.
set -eu

uv=uv
if ! uv --version >/dev/null 2>&1; then
    make setup
    .venv/bin/python -m pip install --disable-pip-version-check --quiet uv
    uv=.venv/bin/uv
fi

new=requirements.lock.new
trap 'rm -f "$new"' EXIT
cp requirements.lock "$new" # uv keeps the versions it finds there where they still fit
"$uv" pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-header --quiet ${UPGRADE:+--upgrade} --output-file "$new" >/dev/null

if grep -nE '^-|https?://|file:|\(/' "$new" >&2; then
    echo "The lock names an index, an address or a path of this machine (lines above). It was not changed. Check the settings of uv on this machine." >&2
    exit 1
fi
mv "$new" requirements.lock
