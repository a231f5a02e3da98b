#!/usr/bin/env bash
# Sets this checkout up: what the system lacks, the virtual environment, the pinned packages, the project itself.
# Repeated calls are fast; a changed lock or pyproject.toml installs again.
# SETUP=demo: without the browser and the PostgreSQL that only tests and `make team` need.
set -euo pipefail
cd "$(dirname "$0")/.."

TORCH_VERSION=2.13.0
CPU_TORCH_INDEX=https://download.pytorch.org/whl/cpu
VENV=.venv
STAMP=$VENV/.trainvitals-setup
SETUP=${SETUP:-all}

say() { printf '\033[1msetup:\033[0m %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

wanted_state() { cat requirements/dev.lock pyproject.toml scripts/setup.sh | sha256sum | cut -d' ' -f1; }

has_python() { command -v python3.11 || command -v python3; }

has_postgres() {
    command -v initdb >/dev/null && return 0
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

is_ubuntu() { grep -qiE '^ID(_LIKE)?=.*ubuntu' /etc/os-release 2>/dev/null; }

has_chromium() {
    compgen -G "${PLAYWRIGHT_BROWSERS_PATH:-${HOME:-}/.cache/ms-playwright}/chromium-*/chrome-linux*/chrome" >/dev/null && return 0
    command -v google-chrome >/dev/null && return 0
    # Ubuntu's chromium is a snap, which cannot be driven in a container, nor by root
    ! is_ubuntu && { command -v chromium || command -v chromium-browser; } >/dev/null
}

has_venv() { "$(has_python)" -c 'import ensurepip, venv' 2>/dev/null; }

venv_package() { "$(has_python)" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'; }

missing_packages() {
    if ! has_python >/dev/null; then
        echo python3 python3-venv
    elif ! has_venv; then
        venv_package
    fi
    [ "$SETUP" = demo ] && return 0
    command -v git >/dev/null || echo git
    has_chromium || is_ubuntu || echo chromium
    has_postgres || echo postgresql
}

install_system_packages() {
    local missing
    missing=$(missing_packages | tr '\n' ' ')
    [ -z "${missing// /}" ] && return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "this machine lacks: ${missing}– install them (Debian, Ubuntu: sudo apt-get install ${missing% }) and try again"
    fi
    say "installing from the system's packages: $missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of words is meant
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

create_venv() {
    [ -x $VENV/bin/python ] && return 0
    local python
    python=$(has_python)
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed, $("$python" -V) was found"
    say "creating $VENV with $("$python" -V)"
    "$python" -m venv $VENV
}

install_torch() {
    if $VENV/bin/python -c "import torch, sys; sys.exit(not torch.__version__.startswith('$TORCH_VERSION'))" 2>/dev/null; then
        return 0
    fi
    if command -v nvidia-smi >/dev/null; then
        say "installing torch $TORCH_VERSION for this machine's GPU (gigabytes)"
        $VENV/bin/pip install -q "torch==$TORCH_VERSION"
        return 0
    fi
    say "installing torch $TORCH_VERSION for the CPU, as there is no GPU"
    $VENV/bin/pip install -q "torch==$TORCH_VERSION+cpu" 2>/dev/null ||
        $VENV/bin/pip install -q "torch==$TORCH_VERSION+cpu" --extra-index-url $CPU_TORCH_INDEX
}

install_packages() {
    local state
    state=$(wanted_state)
    [ "$(cat $STAMP 2>/dev/null || true)" = "$state" ] && return 0
    install_torch
    say "installing the pinned packages of requirements/dev.lock (some minutes, in silence)"
    $VENV/bin/pip install -q -r requirements/dev.lock
    say "installing trainvitals itself, editable"
    $VENV/bin/pip install -q --no-deps -e .
    echo "$state" >$STAMP
    say "done"
}

install_browser() {
    if [ "$SETUP" = demo ] || has_chromium; then
        return 0
    fi
    say "installing Playwright's Chromium, and the system's packages that it needs"
    $VENV/bin/playwright install --with-deps chromium >/dev/null ||
        fail "no Chromium: run '$VENV/bin/playwright install --with-deps chromium' as root, or install google-chrome"
}

main() {
    install_system_packages
    create_venv
    install_packages
    install_browser
}

main
