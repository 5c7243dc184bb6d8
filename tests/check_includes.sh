#!/usr/bin/env bash
# Checks that includes go one way: cli -> io -> engine, and that the tenant shares no code with the client.
set -u
cd "$(dirname "$0")/.." || exit 2
bad=0
checked=0

# refuse FOLDER PATTERN WHY: no source below FOLDER may include what matches PATTERN.
refuse() {
    local found
    found=$(grep -rnE --include='*.?pp' "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($2)" "$1")
    checked=$((checked + 1))
    [ -z "$found" ] && return
    printf '%s: %s\n%s\n' "$1" "$3" "$found"
    bad=1
}

refuse engine '(io|cli|samples|tests)/' 'engine decides and knows nothing of the rooms above it'
refuse engine 'openssl/|boost/(asio|beast|url)|CLI/|sqlite3|sys/|unistd\.h|fcntl\.h|fstream|thread|filesystem' \
    'engine has no sockets, files, threads or OpenSSL'
refuse io '(cli|samples|tests)/' 'io does not know who talks to the user'
refuse io 'CLI/|sqlite3' 'io has no command line and no database'
refuse cli '(samples|tests)/' 'cli is the product'
refuse samples/tenant '(engine|io|cli|tests)/' 'the tenant shares no code with the client it checks'
# Beast is instantiated in one part of the client only, and nowhere in the command line.
refuse cli 'boost/beast|openssl/' 'cli leaves the wire to io'

printf '%d include rules checked\n' "$checked"
exit "$bad"
