# Passes the ports and URLs in `.ports.json` to later steps: as outputs and as variables.
#
# Other keys of the file and values of another form are not passed on, because anybody can write the file.
set -euo pipefail

command -v jq >/dev/null || {
    echo '::error title=Portway::jq is not installed; the action needs it to read .ports.json'
    exit 1
}
ports="$(jq --compact-output . .ports.json)"
echo "ports=$ports" >>"$GITHUB_OUTPUT"
jq --raw-output '
    to_entries[]
    | select(.key | test("\\A[A-Za-z][A-Za-z0-9_]*_(port|url)\\z"))
    | select(
        if .key | endswith("_port") then
            (.value | type) == "number" and .value == (.value | floor) and .value > 0 and .value < 65536
        else
            (.value | type) == "string" and (.value | test("\\A[a-z][a-z0-9+.-]*://[!-~]+\\z"))
        end
    )
    | "\(.key)=\(.value)"
' .ports.json | tr -d '\r' | while IFS='=' read -r key value; do
    echo "$key=$value" >>"$GITHUB_OUTPUT"
    echo "$(tr '[:lower:]' '[:upper:]' <<<"$key")=$value" >>"$GITHUB_ENV"
done
