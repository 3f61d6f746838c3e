#!/bin/sh
# Prints the first interpreter that is new enough and can make environments; with an argument only that one is looked at.
# Needed is 3.11.4, the first 3.11 whose tarfile extracts archives safely; Debian 12's own is 3.11.2.
tried=""
for python in ${1:-python3 python3.13 python3.12 python3.11}; do
  version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11, 4))'; then
    tried="$tried, $python is $version"
  elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    tried="$tried, $python lacks venv (Debian: apt install python${version%.*}-venv)"
  else
    echo "$python"
    exit 0
  fi
done
tried=${tried:-, ${1:-python3} is not installed}
echo "No Python 3.11.4 or newer with venv: ${tried#, }. Get one:" \
  "curl -LsSf https://astral.sh/uv/install.sh | sh && ~/.local/bin/uv python install 3.12," \
  "then: make PYTHON=~/.local/bin/python3.12 demo" >&2
exit 1
