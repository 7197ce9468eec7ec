"""Makes a library of Redis functions from transitions.

A transition is written as a script that Redis runs from top to bottom. As a script, all its functions would be made again in each
call; for a short call that costs more than the call itself. In the library they are made once:

    local function f ... end        made once
    local LANES = { ... }           a name in capitals: made once
    local sub = string.sub          set in the first call, because a library has no globals while it is loaded
    all other statements            run in each call, in their order; their locals are declared outside, and are nil after the call

So nothing of a call is left for the next one.
"""
import re

CONTINUES = re.compile(r"\s|(?:end|else|elseif|until)\b|[})]")
WORD = re.compile(r"(?<![.:])\b[A-Za-z_]\w*")
STRING = re.compile(r"'(?:\\.|[^'\\\n])*'")
OF_REDIS = re.compile(r"(?:string|math|table|redis)\.\w+\n")
UPVALUES_MAX = 55        # Lua allows 60 in a function


def statements(text):
    """The statements of a file; the lines of one begin with a blank, or with a word that cannot begin one."""
    found = []
    for line in text.splitlines(keepends=True):
        if found and CONTINUES.match(line):
            found[-1] += line
        else:
            found.append(line)
    return found


class Transition:
    """The parts of a transition: what is declared and made once, what is set in the first call, what runs in each call."""

    def __init__(self, name, text):
        head, _, rest = text.split("\n", 2)
        self.name, self.flags = name, re.findall(r"flags=(\S+)", head)
        self.names, self.declared, self.at_first, self.in_calls, self.set_in_calls = {"KEYS", "ARGV"}, [], [], [], ["KEYS", "ARGV"]
        for statement in statements(rest):
            self.add(statement)

    def declare(self, names, text):
        if self.names & set(names):
            raise SystemExit(f"{self.name}.lua: two locals of one name: {', '.join(self.names & set(names))}")
        self.names |= set(names)
        self.declared.append(text)

    def add(self, statement):
        function = re.match(r"local function (\w+)", statement)
        local = re.match(r"local ([\w, ]*\w)(?: = ([^\0]*)|\n)", statement)
        if function:
            self.declare([function[1]], statement)
        elif local and all(name.isupper() for name in local[1].split(", ")):
            self.declare(local[1].split(", "), statement)
        elif local:
            self.declare(local[1].split(", "), f"local {local[1]}\n")
            to = self.at_first if OF_REDIS.fullmatch(local[2] or "") else self.in_calls
            to.append(f"{local[1]} = {local[2] or 'nil' + chr(10)}")
            self.set_in_calls += local[1].split(", ") if to is self.in_calls else []
        else:
            self.in_calls.append(statement)

    def steps(self):
        """The statements of each call, in groups that Lua allows as one function."""
        groups, used = [[]], set()
        for statement in self.in_calls:
            words = set(WORD.findall(STRING.sub("", statement))) & self.names
            if groups[-1] and len(used | words) > UPVALUES_MAX:
                groups.append([])
                used = set()
            groups[-1].append(statement)
            used |= words
        return ["".join(group) for group in groups]

    def text(self, suffix):
        steps, flags = self.steps(), ", ".join(f"'{flag}'" for flag in self.flags)
        lines = ["do\n", "local KEYS, ARGV, has_begun\n", *self.declared]
        lines += ["local function begin()\n", "has_begun = true\n", *self.at_first, "end\n"]
        for n, step in enumerate(steps, 1):
            lines += [f"local function step_{n}()\n", step, "end\n"]
        for first in range(0, len(self.set_in_calls), UPVALUES_MAX):
            names = self.set_in_calls[first:first + UPVALUES_MAX]
            lines += [f"local function clear_{first}()\n", *(f"{name} = nil\n" for name in names), "end\n"]
        lines += [f"redis.register_function{{ function_name = '{self.name}{suffix}', flags = {{ {flags} }}, callback = function(keys, args)\n",
                  "if not has_begun then begin() end\n", "KEYS, ARGV = keys, args\n"]
        lines += ["local reply = step_1()\n", *(f"if reply == nil then reply = step_{n}() end\n" for n in range(2, len(steps) + 1))]
        clear = "".join(f"clear_{first}()\n" for first in range(0, len(self.set_in_calls), UPVALUES_MAX))
        return "".join([*lines, clear, "return reply\n", "end }\n", "end\n"])


def library(transitions, suffix):
    """The library as Redis loads it. transitions: name -> compiled text. suffix: of the names of its functions."""
    return f"#!lua name=postern{suffix}\n" + "".join(Transition(name, text).text(suffix) for name, text in transitions.items())
