"""openapi.yaml for tests."""
import copy


def resolve(document, thing):
    if "$ref" not in thing:
        return thing
    kind, name = thing["$ref"].split("/")[2:]
    return document["components"][kind][name]


def schemas_below(document, thing, seen=None):
    """All object schemas that thing uses, through references too."""
    seen = {} if seen is None else seen
    if isinstance(thing, dict):
        if "$ref" in thing:
            thing = resolve(document, thing)
        if id(thing) in seen:
            return seen.values()
        if "properties" in thing:
            seen[id(thing)] = thing
    for below in thing.values() if isinstance(thing, dict) else thing if isinstance(thing, list) else ():
        schemas_below(document, below, seen)
    return seen.values()


def bodies(document):
    """(what Postern reads, what Postern writes): request bodies; responses and webhooks."""
    operations = [o for item in document["paths"].values() for o in item.values()]
    posted = [o for item in document["webhooks"].values() for o in item.values()]
    return ([o["requestBody"] for o in operations if "requestBody" in o],
            [o["responses"] for o in operations] + [o["requestBody"] for o in posted])


def closed(document):
    """A copy in which responses have no other fields than the documented ones."""
    document = copy.deepcopy(document)
    for schema in schemas_below(document, bodies(document)[1]):
        schema.setdefault("additionalProperties", False)
    return document
