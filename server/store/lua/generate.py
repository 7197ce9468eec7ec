"""Makes what Redis and C need from the transitions in this folder. `generate.py WHAT` prints one of:

names     C: enum script, one value for each transition
library   C: the library of functions that Redis loads, its name, and the name of each function
calls     C: for each transition its arguments as a struct, the function that writes them, the places in its reply
keys      C: the keys of lib/keys.txt as printf formats
show NAME the text of one transition, as Redis runs it
check DIR the faults that luacheck does not see; writes the text of each transition to DIR for luacheck

A transition is a file NAME.lua in one of the folders. These lines in its head describe it:

--@include base record       it uses the parts lib/base.lua and lib/record.lua; compiled is only what it uses of them
--@args owner lease_ms:number  its arguments, each a local. Types: text (none given), bytes, number (a number in Lua),
                             digits (a number in C, its digits in Lua), flag (a boolean)
--@item ref epoch:number     arguments that repeat after those: item_ref(i), item_epoch(i), item_count
--@returns moved wait_ms     the reply: `return { moved, wait_ms }` must stand in the text
--@row job ref epoch         the words of each element of a list in the reply (for C alone)
local LATE = 4 --@status     a number in the reply, for C, too: enum { TAKE_STATUS_LATE = 4 }

key_NAME(...) is a key of lib/keys.txt. key_...(), item_...() and constants (local NAME = 'text' or number) are written out in
place, because calls of functions cost much in a short transition.
"""
import hashlib
import re
import sys
from pathlib import Path

import library

LUA = Path(__file__).resolve().parent
BODY = "--@body\n"
WORD = re.compile(r"(?<![.:])\b[A-Za-z_]\w*")
CONSTANT = re.compile(r"^local ([A-Z][A-Z_]*) = ('[^'\n]*'|\d+)(?= *$| +--)", re.M)
STATUS = re.compile(r"^local ([A-Z][A-Z_]*) = (\d+) +--@status", re.M)
C_FIELD = {"text": "const char *{0};", "bytes": "const void *{0};\n\tsize_t {0}_len;", "flag": "bool {0};"}
C_PUT = {"text": 'command_str(c, a->{0} ? a->{0} : "");', "bytes": "command_arg(c, a->{0}, a->{0}_len);"}
IN_LUA = {"number": "tonumber({0})", "flag": "{0} == '1'"}


def files():
    """name -> the file of the transition."""
    return {path.stem: path for path in LUA.rglob("*.lua") if path.parent.name != "lib"}


def names():
    return sorted(files())


def keys():
    """name -> key, with <parameter> or <parameter:printf conversion> in it."""
    return dict(re.findall(r"^(\w+) +(\S+) +\w+  ", (LUA / "lib" / "keys.txt").read_text(), re.M))


def described(text, what):
    """The lines `--@what words` of a text, as lists of (name, type)."""
    return [[(w.partition(":")[0], w.partition(":")[2] or "text") for w in line.split()] for line in re.findall(rf"^--@{what} (.*)$", text, re.M)]


def layout(text):
    """Its arguments, and the ones that repeat; each may take several lines."""
    return sum(described(text, "args"), []), sum(described(text, "item"), [])


def source(name):
    """The transition with its parts, as they were written. BODY divides the parts from its own text."""
    text = files()[name].read_text()
    head, own = re.match(r"(#![^\n]*\n(?:--.*\n)*)([^\0]*)", text).groups()
    fixed, item = layout(text)
    returns = ["return { " + ", ".join(n for n, _ in words) + " }" for words in described(text, "returns")]
    missing = [n for n, _ in fixed if not re.search(rf"\b{n}\b", own)] + [r for r in returns if r not in own]
    if missing:
        raise SystemExit(f"{name}.lua: described, but not in the text: {', '.join(missing)}")
    parts = [(LUA / "lib" / f"{part}.lua").read_text() for words in described(text, "include") for part, _ in words]
    parts += [f"local {n} = " + IN_LUA.get(kind, "{0}").format(f"ARGV[{i}]") + "\n" for i, (n, kind) in enumerate(fixed, 1)]
    if item:
        parts.append(f"local item_count = (#ARGV - {len(fixed)}) / {len(item)}\n")
        own = f"if item_count % 1 ~= 0 then return redis.error_reply('PNARG {name}') end\n" * (len(item) > 1) + own
    return head + "".join(parts) + BODY + own


def written_out(code, macros):
    """Replaces each call of a macro by its text; macros: name -> function of the arguments."""
    found = re.search(r"\b(" + "|".join(macros) + r")\(", code)
    if not found:
        return code
    arguments, start, end, depth = [], found.end(), found.end(), 1
    while depth:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(code[end], 0)
        if depth == 0 or depth == 1 and code[end] == ",":
            arguments.append(written_out(code[start:end].strip(), macros))
            start = end + 1
        end += 1
    arguments = [a if re.fullmatch(r"[\w.]+(\[\w+\])*|'[^']*'", a) else f"({a})" for a in arguments if a]
    return code[:found.start()] + macros[found[1]](*arguments) + written_out(code[end:], macros)


def key_macro(pattern):
    words = re.split(r"<[\w:]+>", pattern)

    def expand(*arguments):
        if len(arguments) != len(words) - 1:
            raise SystemExit(f"key {pattern} has {len(words) - 1} parts, not {arguments}")
        parts = [f"'{words[0]}'"] + [p for argument, word in zip(arguments, words[1:]) for p in [argument] + [f"'{word}'"] * bool(word)]
        return " .. ".join(["root"] + parts)
    return expand


def item_macro(n, first, kind):
    def expand(i):
        place = (i if n == 1 else f"{i} * {n}") + (f" {'+' if first > n else '-'} {abs(first - n)}" if first != n else "")
        return IN_LUA.get(kind, "{0}").format(f"ARGV[{place}]")
    return expand


def words_of(code):
    """The names in it. A word in a string is no name."""
    return set(WORD.findall(re.sub(r"'(?:\\.|[^'\\\n])*'", "", code)))


def compiled(text):
    """What Redis runs: keys, arguments and constants written out, and of the parts only what is used. The title stays."""
    fixed, item = layout(text)
    macros = {f"key_{name}": key_macro(pattern) for name, pattern in keys().items()}
    macros |= {f"item_{name}": item_macro(len(item), len(fixed) + 1 + i, kind) for i, (name, kind) in enumerate(item)}
    flags, title, rest = text.split("\n", 2)
    rest, constants = re.sub(CONSTANT, "", rest), dict(CONSTANT.findall(rest))
    rest = re.sub(r"(?<!['.])\b(" + "|".join(constants or ["-"]) + r")\b", lambda m: constants[m[1]], rest)
    code = re.sub(r"('(?:\\.|[^'\\\n])*')|[ \t]*--(?!@body)[^\n]*", lambda m: m[1] or "", rest)
    parts, own = written_out(code, macros).split(BODY)
    needed, kept = words_of(own), [own]
    for chunk in reversed(re.split(r"^(?=local )", parts, flags=re.M)):
        declared = re.match(r"local (?:function )?([\w, ]+)", chunk)
        if declared and needed & words_of(declared[1]):
            needed |= words_of(chunk)
            kept.insert(0, chunk)
    return flags + "\n" + title + "\n" + re.sub(r"\n\s*\n", "\n", "".join(kept))


def print_names():
    print("enum script {\n" + "".join(f"\tSCRIPT_{name.upper()},\n" for name in names()) + "\tSCRIPTS\n};")


def print_library():
    """The names have a part that depends on the text, so that processes of two versions can use one Redis."""
    texts = {name: compiled(source(name)) for name in names()}
    suffix = "_" + hashlib.sha256(library.library(texts, "").encode()).hexdigest()[:12]
    lines = [re.sub(r'([\\"])', r"\\\1", line.strip()) for line in library.library(texts, suffix).splitlines()]
    print(f'#define LUA_LIBRARY "postern{suffix}"\nstatic const char lua_library[] =\n' + "\n".join(f'\t"{line}\\n"' for line in lines) + ";")
    print("static const char *const lua_functions[SCRIPTS] = {\n" + "".join(f'\t[SCRIPT_{name.upper()}] = "{name}{suffix}",\n' for name in names()) + "};")


def print_arguments(name, words, partition, begin):
    """A struct for them, and what writes them after `begin`."""
    if words:
        print(f"struct {name} {{\n" + "\n".join("\t" + C_FIELD.get(kind, "int64_t {0};").format(n) for n, kind in words) + "\n};")
    arguments = "struct command *c" + partition + f", const struct {name} *a" * bool(words)
    puts = "".join("\t" + C_PUT.get(kind, "command_num(c, a->{0});").format(n) + "\n" for n, kind in words)
    print(f"static inline void {name}({arguments})\n{{\n{begin}{puts}}}")


def print_places(prefix, words):
    prefix = prefix.upper()
    print("enum {" + "".join(f" {prefix}_{n.upper()}," for n, _ in words) + f" {prefix}_WORDS }};")


def print_calls():
    print('#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n#include "server/redis/link/command.h"')
    for name in names():
        text = files()[name].read_text()
        fixed, item = layout(text)
        print_arguments(f"script_{name}", fixed, ", unsigned partition", f"\tcommand_script(c, SCRIPT_{name.upper()}, partition);\n")
        if item:
            print_arguments(f"script_{name}_item", item, "", "")
        for words in described(text, "returns"):
            print_places(name, words)
        for (row, _), *words in described(text, "row"):
            print_places(f"{name}_{row}", words)
        if STATUS.search(text):
            print("enum {" + "".join(f" {name.upper()}_STATUS_{status} = {n}," for status, n in STATUS.findall(text)) + " };")
    for (line, _), *words in described((LUA / "lib" / "record.lua").read_text(), "row"):
        print_places(f"record_{line}", words)


def print_keys():
    for name, pattern in keys().items():
        print(f'#define KEY_{name.upper()} "' + re.sub(r"<\w+>", "%s", re.sub(r"<\w+:(\w+)>", r"%\1", pattern)) + '"')


def unset_arguments():
    """The arguments that a C initializer of them does not name: the compiler would pass 0 or "" without a word."""
    for path in sorted(LUA.parents[1].rglob("*.c")):
        text = path.read_text()
        for found in re.finditer(r"\(struct script_(\w+)\)\{", text):
            end, depth = found.end(), 1
            while depth:
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
            name, is_item, _ = found[1].partition("_item") if found[1] not in files() else (found[1], "", "")
            words = layout(files()[name].read_text())[bool(is_item)]
            unset = [n for n, _ in words if not re.search(rf"\.{n}\b", text[found.end():end])]
            if unset:
                yield f"{path}:{text.count(chr(10), 0, end) + 1}: script_{found[1]} without {', '.join(unset)}"


def check(folder):
    faults, texts = [*unset_arguments()], "".join(compiled(source(name)) for name in names())
    for name in names():
        (Path(folder) / f"{name}.lua").write_text(compiled(source(name)))
    for path in [*LUA.rglob("*.lua"), *LUA.glob("lib/*.txt")]:
        lines, began = path.read_text().expandtabs(8).splitlines(), 0
        faults += [f"{path}:{n}: more than 120 columns" for n, line in enumerate(lines, 1) if len(line) > 120]
        for n, line in enumerate(lines, 1):
            began = n if line.startswith("local function") else began
            if line == "end" and began and n - began >= 40:
                faults.append(f"{path}:{began}: a function of {n - began + 1} lines")
            began = 0 if line == "end" else began
            name = re.match(r"local (?:function )?([a-z]\w+)", line)
            if name and path.parent.name == "lib" and not re.search(rf"^local (function )?{name[1]}\b", texts, re.M):
                faults.append(f"{path}:{n}: no transition uses {name[1]}")
    raise SystemExit("\n".join(faults) or 0)


def main():
    what, *words = sys.argv[1:]
    if what == "show":
        print(compiled(source(words[0])), end="")
    else:
        {"names": print_names, "library": print_library, "calls": print_calls, "keys": print_keys, "check": check}[what](*words)


if __name__ == "__main__":
    main()
