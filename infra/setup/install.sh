#!/bin/sh
# Make .venv and install the locked packages and this repository into it. Called by `make setup`.
# uv where it is present, otherwise venv and pip; either way from requirements.lock, every file checked against its hash.
set -eu
unset PYTHONDONTWRITEBYTECODE # with it nothing would be compiled, and every start would take twice the time
export UV_COMPILE_BYTECODE_TIMEOUT="${UV_COMPILE_BYTECODE_TIMEOUT:-600}" UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-120}"

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

works() { # a name on PATH proves nothing: pyenv leaves shims of versions that are not active
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        works "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13. Expected: a command or path of one; without PYTHON one is searched."
        printf '%s\n' "$PYTHON"
        return
    fi
    for name in python3 python3.13 python3.12 python3.11 python; do
        if works "$name"; then
            printf '%s\n' "$name"
            return
        fi
    done
}

uv_works() { uv --version >/dev/null 2>&1; }

make_venv() { # $1: interpreter, empty if none was found
    rm -rf .venv
    if uv_works; then # without an interpreter uv looks for one itself, and may fetch one
        uv venv --quiet --python "${1:->=3.11,<3.14}" .venv && return
    elif [ -n "$1" ]; then
        "$1" -c 'import ensurepip' >/dev/null 2>&1 ||
            fail "$1 cannot make virtual environments: its module ensurepip is missing." \
                "On Debian and Ubuntu install the package python3-venv, or install uv; then call 'make setup' again."
        "$1" -m venv .venv && return
    fi
    fail "Leitstand needs Python 3.11, 3.12 or 3.13, and none was found." \
        "Install one (or uv, which brings its own), or name it: make setup PYTHON=/path/to/python3.12"
}

install_with_uv() {
    export VIRTUAL_ENV="$PWD/.venv"
    uv pip sync --require-hashes --compile-bytecode requirements.lock
    uv pip install --quiet --no-deps --no-build-isolation --editable .
}

install_with_pip() { # the lock is complete, so nothing has to be resolved
    python=.venv/bin/python
    "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip
    "$python" -m pip install --disable-pip-version-check --require-hashes --no-deps --compile --requirement requirements.lock
    "$python" -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
}

chosen=$(find_python)
# Kept where it is sound and nobody asked for another interpreter: installing again is then a matter of seconds.
if ! works .venv/bin/python || [ -n "${PYTHON:-}" ]; then
    make_venv "$chosen"
fi
if uv_works; then install_with_uv; else install_with_pip; fi
.venv/bin/python -m compileall -qq leitstand projects data_contracts infra serving monitoring flows || : # a file being written may be broken
