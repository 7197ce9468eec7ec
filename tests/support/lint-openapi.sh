#!/bin/sh
# openapi.yaml by the rules of Redocly and Spectral: no error and no warning. Needs npm and its registry.
set -eu
cd "$(dirname "$0")/../.."
tools=build/openapi-lint
mkdir -p "$tools"
npm install --silent --no-audit --no-fund --prefix "$tools" @redocly/cli@2 @stoplight/spectral-cli@6 ||
	{ echo "lint-openapi: the npm registry could not be reached"; exit 1; }
echo 'extends: ["spectral:oas"]' >"$tools/spectral.yaml"
"$tools/node_modules/.bin/redocly" lint --max-problems 100 openapi/openapi.yaml 2>&1 | tee "$tools/redocly.log"
! grep -qE 'You have [0-9]+ (warning|error)|Validation failed' "$tools/redocly.log"
"$tools/node_modules/.bin/spectral" lint --fail-severity warn -r "$tools/spectral.yaml" openapi/openapi.yaml
