"""Prints {"prefix:Operation": [member paths]} for every operation in botocore's service models whose response has a
member that is marked sensitive, or whose name says that it carries secrets, code or data.

Only members that contain text count, not numbers, times, booleans and enumerations. Pagination tokens, and names that end
in Arn, Id or similar, identify something and contain no data.
"""

import gzip
import json
import re
import sys
from pathlib import Path

import botocore

WORDS = re.compile(
    r"environment|template|argument|script(?!ion)|user.?data|output|token|password|secret|certificate|credential"
    r"|privatekey|apikey|(?<!de)definition$|policytext|pre-?signed|signed.?url|provider.?details"
    r"|payload|body$|content$|properties$|resource(model|configuration)$|^input$|executionparameters|search.?string",
    re.I,
)
HARMLESS = re.compile(
    r"^(next|previous|prev|continuation|pagination|page|client(request)?|request|upload|marker|forward|backward)?_?-?"
    r"(next|forward|backward|page)?(continuation|pagination|client|request)?token$"
    r"|(arn|arns|id|ids|identifier|identifiers|name|names|status|type|types|version|versions|location|state|format|count"
    r"|description|prefix|bucket|region|size|hash|digest|path|uri|mode|action|reason|alias|severity|number)$",
    re.I,
)


def members(shapes, name, seen, path):
    shape = shapes[name]
    if name in seen:
        return
    kind = shape["type"]
    if kind == "structure":
        for member, reference in shape.get("members", {}).items():
            yield from one(shapes, member, reference, seen | {name}, f"{path}.{member}" if path else member)
    elif kind == "list":
        yield from one(shapes, "", shape["member"], seen | {name}, path)
    elif kind == "map":
        yield from one(shapes, "", shape["value"], seen | {name}, path)


def leaf(shapes, shape):
    """Whether a shape is text, or a list or map of text."""
    while shape["type"] in ("list", "map"):
        if shape.get("sensitive"):
            return True
        shape = shapes[(shape.get("member") or shape.get("value"))["shape"]]
    return shape["type"] in ("string", "blob") and not shape.get("enum")


def one(shapes, member, reference, seen, path):
    shape = shapes[reference["shape"]]
    marked = shape.get("sensitive") or reference.get("sensitive")
    # Containers list their environment as structures of name and value.
    pairs = shape["type"] == "list" and member.lower().startswith("environment")
    named = member and WORDS.search(member) and not HARMLESS.search(member) and (pairs or leaf(shapes, shape))
    if marked or named:
        yield path
    else:
        yield from members(shapes, reference["shape"], seen, path)


# Services whose IAM prefix is not part of their service model.
IAM_PREFIXES = {"cloudcontrol": "cloudformation", "resourcegroupstaggingapi": "tag", "s3control": "s3"}

found = {}
for service in sorted((Path(botocore.__file__).parent / "data").iterdir()):
    models = sorted(service.glob("*/service-2.json.gz"))
    if not models:
        continue
    model = json.loads(gzip.decompress(models[-1].read_bytes()))
    metadata = model["metadata"]
    prefixes = {metadata.get("signingName", metadata["endpointPrefix"]), metadata["endpointPrefix"], service.name}
    prefixes.add(IAM_PREFIXES.get(service.name, service.name))
    for operation, details in model["operations"].items():
        paths = sorted(set(members(model["shapes"], details["output"]["shape"], frozenset(), ""))) if "output" in details else []
        # Services of several API versions share a prefix: `ses` is SES, SES v2 and Mail Manager.
        for prefix in prefixes:
            found.setdefault(f"{prefix}:{operation}", set()).update(paths)
operations = {action: sorted(paths) for action, paths in found.items()}
json.dump({"version": botocore.__version__, "operations": operations}, sys.stdout)
