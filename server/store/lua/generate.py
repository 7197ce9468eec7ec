"""Makes what Redis and C need from the transitions in this folder. `generate.py WHAT [NAME...]` prints one of:

names    C: enum script, one value for each transition
sources  C: the name and the text of each transition
calls    C: for each transition its arguments as a struct, a function that writes them, and the places of its answers
keys     C: the keys of lib/keys.txt as printf formats
show     the text that Redis runs, with comments, for the transitions NAME
check    lines of more than 120 columns, functions of more than 40 lines

A transition is a file NAME.lua. Lines that begin with --@ in its head describe it:

--@include base record       it uses the parts lib/base.lua and lib/record.lua; only what it uses of them is compiled
--@args owner lease_ms:number  its arguments, each a local. Types: text (none given), bytes, number (a number in Lua),
                             digits (a number in C, its digits in Lua), flag (a boolean)
--@item ref epoch:number     arguments that repeat after those: item_ref(i), item_epoch(i), item_count
--@returns moved wait_ms     the answer: `return { moved, wait_ms }` must stand in the text
--@row job ref epoch         the words of each element of a list in the answer (in C alone)

key_NAME(...) is a key of lib/keys.txt. key_...() and item_...() are written out in place: Lua would need 0.1 us a call.
"""
import re
import sys
from pathlib import Path

LUA = Path(__file__).resolve().parent
BODY = "--@body\n"
C_TYPES = {"text": "const char *{0};", "bytes": "const void *{0};\n\tsize_t {0}_len;", "number": "int64_t {0};", "digits": "int64_t {0};", "flag": "bool {0};"}
C_PUT = {"text": "command_str(c, a->{0} ? a->{0} : \"\");", "bytes": "command_arg(c, a->{0}, a->{0}_len);", "number": "command_num(c, a->{0});",
         "digits": "command_num(c, a->{0});", "flag": "command_num(c, a->{0});"}
IN_LUA = {"number": "tonumber({0})", "flag": "{0} == '1'"}


def names():
    return sorted(path.stem for path in LUA.glob("*.lua"))


def keys():
    """name -> key, with <parameter> or <parameter:printf conversion> in it."""
    rows = re.findall(r"^(\w+) +(\S+) +\w+  ", (LUA / "lib" / "keys.txt").read_text(), re.M)
    return dict(rows)


def described(text, what):
    """The lines `--@what words` of a text, as lists of (name, type)."""
    return [[(w.partition(":")[0], w.partition(":")[2] or "text") for w in line.split()] for line in re.findall(rf"^--@{what} (.*)$", text, re.M)]


def layout(text):
    """Its arguments, and the ones that repeat; each may take several lines."""
    return sum(described(text, "args"), []), sum(described(text, "item"), [])


def source(name):
    """The transition with its parts, as they are written. BODY divides the parts from its own text."""
    text = (LUA / f"{name}.lua").read_text()
    head, args, own = re.match(r"(#![^\n]*\n)((?:--.*\n)*)([^\0]*)", text).groups()
    returns = ["return { " + ", ".join(n for n, _ in words) + " }" for words in described(text, "returns")]
    fixed, item = layout(text)
    unused = [n for n, _ in fixed if not re.search(rf"\b{n}\b", own)] + [r for r in returns if r not in own]
    if unused:
        raise SystemExit(f"{name}.lua: described, but not in the text: {', '.join(unused)}")
    parts = [(LUA / "lib" / f"{part}.lua").read_text() for words in described(text, "include") for part, _ in words]
    places = [f"local {n} = " + IN_LUA.get(kind, "{0}").format(f"ARGV[{i}]") for i, (n, kind) in enumerate(fixed, 1)]
    if item:
        places += ["local ARGV = ARGV", f"local item_count = (#ARGV - {len(fixed)}) / {len(item)}"]
        own = f"if item_count % 1 ~= 0 then return redis.error_reply('PNARG {name}') end\n" * (len(item) > 1) + own
    return head + args + "".join(parts) + "\n".join(places) + "\n" + BODY + own


def written_out(code, macros):
    """Replaces each call of a macro by its text; macros: name -> function of the arguments."""
    out, pos = [], 0
    for found in re.finditer(r"\b((?:key|item)_\w+)\(", code):
        if found.start() < pos or found[1] not in macros:
            continue
        arguments, start, depth, pos = [], found.end(), 1, found.end()
        while depth:
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(code[pos], 0)
            if depth == 0 or depth == 1 and code[pos] == ",":
                arguments.append(written_out(code[start:pos].strip(), macros))
                start = pos + 1
            pos += 1
        out.append((found.start(), pos, macros[found[1]](*[a if re.fullmatch(r"[\w.]+(\[\w+\])*|'[^']*'", a) else f"({a})" for a in arguments if a])))
    for start, end, text in reversed(out):
        code = code[:start] + text + code[end:]
    return code


def key_macro(pattern):
    words = re.split(r"<\w+(?::\w+)?>", pattern)

    def expand(*arguments):
        if len(arguments) != len(words) - 1:
            raise SystemExit(f"key {pattern} has {len(words) - 1} parts, not {arguments}")
        parts = ["root"]
        for word, argument in zip(words, (*arguments, None)):
            parts += ([f"'{word}'"] if word else []) + ([argument] if argument else [])
        return " .. ".join(parts)
    return expand


def item_macro(n, first, kind):
    def expand(i):
        place = (i if n == 1 else f"{i} * {n}") + (f" {'+' if first > n else '-'} {abs(first - n)}" if first != n else "")
        return IN_LUA.get(kind, "{0}").format(f"ARGV[{place}]")
    return expand


def compiled(text):
    """What Redis runs: keys and arguments written out, and of the parts only what is used."""
    fixed, item = layout(text)
    macros = {f"key_{name}": key_macro(pattern) for name, pattern in keys().items()}
    macros |= {f"item_{name}": item_macro(len(item), len(fixed) + 1 + i, kind) for i, (name, kind) in enumerate(item)}
    head, rest = text.split("\n", 1)
    code = re.sub(r"('(?:\\.|[^'\\\n])*')|[ \t]*--(?!@body)[^\n]*", lambda m: m[1] or "", rest)
    parts, own = written_out(code, macros).split(BODY)
    needed, kept = set(re.findall(r"(?<![.:])\b[A-Za-z_]\w*", own)), [own]
    for chunk in reversed(re.split(r"^(?=local )", parts, flags=re.M)):
        declared = re.match(r"local (?:function )?([\w, ]+)", chunk)
        if declared and needed & set(re.split(r", *", declared[1].strip())):
            needed |= set(re.findall(r"(?<![.:])\b[A-Za-z_]\w*", chunk))
            kept.insert(0, chunk)
    return head + "\n" + re.sub(r"\n\s*\n", "\n", "".join(kept))


def c_string(text):
    lines = [re.sub(r'([\\"])', r"\\\1", line.strip()) for line in text.splitlines()]
    return "\n".join(f'\t"{line}\\n"' for line in lines)


def print_names():
    print("enum script {\n" + "".join(f"\tSCRIPT_{name.upper()},\n" for name in names()) + "\tSCRIPTS\n};")


def print_sources():
    print("static const struct {\n\tconst char *name;\n\tconst char *text;\n} lua_sources[SCRIPTS] = {")
    for name in names():
        head, code = compiled(source(name)).split("\n", 1)
        titled = f"{head}\n-- {name}:\n{code}"  # the name of a script that Redis reports, or that a proxy sees
        print(f"\t[SCRIPT_{name.upper()}] = {{\"{name}\",\n{c_string(titled)}}},")
    print("};")


def print_arguments(name, words, first):
    """A struct for them, and what writes them; first: what the command begins with, or nothing for those that repeat."""
    print(f"struct {name} {{")
    print("\n".join("\t" + C_TYPES[kind].format(n) for n, kind in words) + "\n};")
    extra = ", unsigned partition" if first else ""
    print(f"static inline void {name}(struct command *c{extra}, const struct {name} *a)\n{{")
    print(first + "\n".join("\t" + C_PUT[kind].format(n) for n, kind in words) + "\n}")


def print_places(prefix, words):
    print(f"enum {{ {', '.join(f'{prefix}_{w.upper()}' for w in words)}, {prefix}_WORDS }};")


def print_calls():
    print("#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n#include \"server/redis/command.h\"")
    for name in names():
        text = (LUA / f"{name}.lua").read_text()
        fixed, item = layout(text)
        begin = f"\tcommand_script(c, SCRIPT_{name.upper()}, partition);\n"
        if fixed:
            print_arguments(f"script_{name}", fixed, begin)
        else:
            print(f"static inline void script_{name}(struct command *c, unsigned partition)\n{{\n{begin}}}")
        if item:
            print_arguments(f"script_{name}_item", item, "")
        for words in described(text, "returns"):
            print_places(name.upper(), [n for n, _ in words])
        for (row, _), *words in described(text, "row"):
            print_places(f"{name}_{row}".upper(), [n for n, _ in words])
    for (line, _), *words in described((LUA / "lib" / "record.lua").read_text(), "row"):
        print_places(f"RECORD_{line}".upper(), [n for n, _ in words])


def print_keys():
    for name, pattern in keys().items():
        formats = re.sub(r"<\w+:(\w+)>", r"%\1", pattern)
        print(f"#define KEY_{name.upper()} \"" + re.sub(r"<\w+>", "%s", formats) + "\"")


def check():
    faults = []
    for path in [*LUA.glob("*.lua"), *LUA.glob("lib/*")]:
        lines, began = path.read_text().expandtabs(8).splitlines(), 0
        for number, line in enumerate(lines, 1):
            if len(line) > 120:
                faults.append(f"{path}:{number}: {len(line)} columns")
            if re.match(r"local function", line):
                began = number
            if line == "end" and began and number - began > 40:
                faults.append(f"{path}:{began}: a function of {number - began + 1} lines")
    raise SystemExit("\n".join(faults) or 0)


def main():
    what = sys.argv[1]
    if what == "show":
        print("\n".join(compiled(source(name)) for name in sys.argv[2:]), end="")
    elif what == "check":
        check()
    else:
        print("/* made by server/store/lua/generate.py */")
        {"names": print_names, "sources": print_sources, "calls": print_calls, "keys": print_keys}[what]()


if __name__ == "__main__":
    main()
