"""Prints a C header with the OpenAPI document, as YAML and as JSON. Needs python3-yaml.

usage: embed.py openapi.yaml > openapi_text.h
"""
import json
import re
import sys

import yaml


class Loader(yaml.SafeLoader):
    """The JSON schema of YAML 1.2 (10.2), as OpenAPI wants it; no name twice in a mapping."""

    yaml_implicit_resolvers = {}


DIGITS = list("-0123456789")
for tag, pattern, first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"-?(0|[1-9][0-9]*)", DIGITS),
    ("float", r"-?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?", DIGITS),
):
    Loader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(f"^(?:{pattern})$"), first)


def mapping(loader, node, deep=False):
    names = set()
    for key, _ in node.value:
        if key.value in names:
            sys.exit(f"{node.start_mark.name}:{key.start_mark.line + 1}: {key.value}: twice")
        names.add(key.value)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


Loader.add_constructor("tag:yaml.org,2002:map", mapping)


def emit(name, text):
    print(f"static const char {name}[] = {{")
    signed = [b if b < 128 else b - 256 for b in text.encode()] + [0]
    for i in range(0, len(signed), 24):
        print("\t" + ", ".join(map(str, signed[i:i + 24])) + ",")
    print("};")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    document = yaml.load(text, Loader)
    print("/* Made by openapi/embed.py. */")
    emit("openapi_yaml", text)
    emit("openapi_json", json.dumps(document, separators=(",", ":"), ensure_ascii=False))


main()
