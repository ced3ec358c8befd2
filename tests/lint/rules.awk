# rules.awk - what tests/lint/check checks, for any POSIX awk. Bytes, not characters:
# it runs in the C locale.
#
#   layer        includes go downwards only (engine/), or to base/ and proto/ (sandbox/)
#   third-party  a library's headers are included by the one module that wraps it
#   banned       functions that write without a limit, or keep hidden state
#   function     at most 100 lines from signature to closing brace
#   file         at most 600 lines
#   column       at most 110 columns

BEGIN {
    MAX_FUNCTION = 100; MAX_FILE = 600; MAX_COLUMNS = 110

    count = split("base proto io core webhook api cli", names, " ")
    for (i = 1; i <= count; i++)
        rank[names[i]] = i

    # Headers of libc and the kernel; whatever else stands in <> is third-party.
    count = split("assert ctype dirent dlfcn elf endian errno execinfo fcntl features fenv float" \
        " fnmatch ftw getopt glob grp iconv ifaddrs inttypes langinfo libgen limits locale" \
        " malloc math mqueue netdb poll pthread pwd regex sched search semaphore setjmp" \
        " signal spawn stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib" \
        " stdnoreturn string strings syslog syscall termios threads time ucontext uchar" \
        " unistd utime wchar wctype wordexp", names, " ")
    for (i = 1; i <= count; i++)
        libc[names[i] ".h"] = 1
    count = split("arpa asm asm-generic bits linux net netinet sys", names, " ")
    for (i = 1; i <= count; i++)
        libc[names[i]] = 1

    # Libraries that more than one module may include, and which.
    shared["engine", "openssl"] = " engine/io/crypto engine/io/tls_bridge "
    shared["engine", "hiredis"] = " engine/io/redis engine/io/redis_link "

    # Lua is what all of the sandbox is about.
    everywhere["sandbox", "lua.h"] = everywhere["sandbox", "lauxlib.h"] = 1
    everywhere["sandbox", "lualib.h"] = everywhere["sandbox", "luajit.h"] = 1
}

function problem(line, rule, sentence) {
    printf "%s:%d: %s: %s\n", FILENAME, line, rule, sentence
    problems++
}

FNR == 1 {
    files++
    is_c = FILENAME ~ /\.[ch]$/
    split(FILENAME, part, "/")
    tree = part[1]
    layer = (tree == "engine" && part[3] != "") ? part[2] : ""
    module = FILENAME
    sub(/\.[^.\/]*$/, "", module)
    in_comment = 0; signature = 0; last = ""; body = 0
}

# The line without comments, and with empty strings and characters.
function code_of(text,    out, token) {
    out = ""
    for (;;) {
        if (in_comment) {
            if (!match(text, /\*\//))
                return out
            text = substr(text, RSTART + 2)
            in_comment = 0
        }
        if (!match(text, /"|'|\/\*|\/\//))
            return out text
        token = substr(text, RSTART, RLENGTH)
        out = out substr(text, 1, RSTART - 1)
        text = substr(text, RSTART + RLENGTH)
        if (token == "//")
            return out
        if (token == "/*") {
            in_comment = 1
            continue
        }
        match(text, token == "\"" ? "^([^\"\\\\]|\\\\.)*\"" : "^([^'\\\\]|\\\\.)*'")
        text = substr(text, RLENGTH > 0 ? RLENGTH + 1 : length(text) + 1)
        out = out token token
    }
}

function check_own_include(path,    target) {
    target = path
    if (!sub(/\/.*/, "", target))
        target = ""
    if (layer == "cli" && (path == "engine.h" || path == "supervisor.h"))   # `serve` starts all of it
        return
    if (tree == "sandbox") {
        if (target != "" && target != "base" && target != "proto")
            problem(FNR, "layer", "sandbox/ may include only base/ and proto/, not \"" path "\"")
        return
    }
    if (layer == "")
        return
    if (!(layer in rank))
        problem(FNR, "layer", "engine/" layer "/ is not one of the layers")
    else if (!(target in rank))
        problem(FNR, "layer", "\"" path "\" does not start with a layer")
    else if (rank[target] > rank[layer])
        problem(FNR, "layer", layer "/ may not include \"" path "\": " target "/ stands above it")
}

function check_library(header,    library, owner) {
    library = header
    sub(/\/.*/, "", library)
    if ((library in libc) || (tree, library) in everywhere)
        return
    if ((tree, library) in shared) {
        if (index(shared[tree, library], " " module " ") == 0)
            problem(FNR, "third-party", "<" header "> belongs to" shared[tree, library])
        return
    }
    owner = owners[tree, library]
    if (owner == "")
        owners[tree, library] = module
    else if (owner != module)
        problem(FNR, "third-party", "<" header "> is included by " owner " as well")
}

# A function runs from the last line that began with an identifier before "{" on
# column 0 to "}" on column 0.
function follow_functions(code,    lines) {
    if (code ~ /^[A-Za-z_]/)
        signature = FNR
    if (code ~ /^\{/ && last ~ /\)[ \t]*$/)
        body = signature
    if (code ~ /^\}/ && body > 0) {
        lines = FNR - body + 1
        if (lines > MAX_FUNCTION)
            problem(body, "function", "has " lines " lines; " MAX_FUNCTION " is the most")
        with_lines[lines]++
        functions++
        if (lines > longest)
            longest = lines
        body = 0
    }
    if (code !~ /^[ \t]*$/)
        last = code
}

FNR == MAX_FILE + 1 { problem(FNR, "file", "is longer than " MAX_FILE " lines") }

{
    columns = $0
    gsub(/[\200-\277]/, "", columns)        # all but the first byte of a UTF-8 character
    if (length(columns) > MAX_COLUMNS)
        problem(FNR, "column", "has " length(columns) " columns; " MAX_COLUMNS " is the most")
}

is_c {
    code = code_of($0)
    ours = tree == "engine" || tree == "sandbox"
    if (ours && code ~ /^[ \t]*#[ \t]*include/) {
        if (match($0, /"[^"]+"/))
            check_own_include(substr($0, RSTART + 1, RLENGTH - 2))
        else if (match($0, /<[^>]+>/))
            check_library(substr($0, RSTART + 1, RLENGTH - 2))
    }
    rest = code
    while (match(rest, /(^|[^A-Za-z0-9_])(v?sprintf|strcpy|strcat|gets|strtok)[ \t]*\(/)) {
        name = substr(rest, RSTART, RLENGTH)
        rest = substr(rest, RSTART + RLENGTH)
        gsub(/[^a-z]/, "", name)
        problem(FNR, "banned", name "() is not used here")
    }
    if (ours)
        follow_functions(code)
}

# The least n such that `share` of all functions have at most n lines.
function lines_at(share,    lines, seen) {
    for (lines = 1; lines <= longest; lines++) {
        seen += with_lines[lines]
        if (seen >= share * functions)
            return lines
    }
}

END {
    if (functions > 0)
        printf "functions: %d, median %d lines, nine in ten up to %d, longest %d\n", functions, \
            lines_at(0.5), lines_at(0.9), longest
    printf "lint: %d files checked, %d problems\n", files, problems
    exit problems > 0
}
