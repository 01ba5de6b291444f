# SPDX-License-Identifier: MIT
# A JSON text as lines "PATH VALUE", e.g. "generator.layers.3.ms_per_query 0.25"; strings without their quotes.
{ text = text $0 "\n" }
END {
    at = 1
    value("")
    space()
    if (at <= length(text))
        broken()
}
function broken() { printf "%s: no JSON at character %d\n", FILENAME, at >"/dev/stderr"; exit 1 }
function space() { if (match(substr(text, at), /^[ \t\r\n]+/)) at += RLENGTH }
function next_is(mark) { space(); if (substr(text, at, 1) != mark) return 0; at++; return 1 }
function word(pattern) {
    space()
    if (!match(substr(text, at, 400), pattern)) broken()
    at += RLENGTH
    return substr(text, at - RLENGTH, RLENGTH)
}
function string(  found) { found = word("^\"([^\"\\\\]|\\\\.)*\""); return substr(found, 2, length(found) - 2) }
function value(path,  inside, name, n) {
    inside = path == "" ? "" : path "."
    if (next_is("{")) {
        if (next_is("}")) return
        do { name = string(); if (!next_is(":")) broken(); value(inside name) } while (next_is(","))
        if (!next_is("}")) broken()
    } else if (next_is("[")) {
        if (next_is("]")) return
        do value(inside n++ + 0); while (next_is(","))
        if (!next_is("]")) broken()
    } else {
        space()
        print path, substr(text, at, 1) == "\"" ? string() : word("^(-?[0-9][-+.eE0-9]*|true|false|null)")
    }
}
