#!/usr/bin/env bash
# Static analysis of the contracts with Slither, in a virtual environment of its own. Any finding fails the command;
# a reviewed one is switched off where it stands in the source, with the reason beside it.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -x .venv-analysis/bin/slither ]; then
  .venv/bin/uv venv -q .venv-analysis
  .venv/bin/uv pip sync -q --require-hashes --python .venv-analysis/bin/python requirements/analysis.txt
fi

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
.venv/bin/python - > "$folder/contracts.json" <<'PYTHON'
import json
from scripts.compile_contracts import DEPLOYED, compiler_input, read_sources
request = compiler_input(read_sources(*DEPLOYED.values()))
del request["settings"]["outputSelection"]  # Slither asks for more than we do.
print(json.dumps(request))
PYTHON

.venv-analysis/bin/slither "$folder/contracts.json" --compile-force-framework Solc-json \
  --solc "$PWD/scripts/solc" --filter-paths '@openzeppelin' --fail-pedantic --disable-color "$@"
