"""Reads an archive as its description says, and knows nothing else of s3plan.

Prints one JSON object: every key whose row is in_s3 and current, and the SHA-256 of its file.
Ends with an error where a path does not lead back to its key, leaves data/, or is used twice.
"""

import hashlib
import json
import os
import re
import sys

archive = os.fsencode(sys.argv[1])


def part(text):
    """One part of a path as the key has it; None where a hash stands for some of it."""
    if "^h" in text:
        return None
    raw, at = b"", 0
    data = text.encode()
    while at < len(data):
        if data[at : at + 1] == b"^":
            digits = data[at + 1 : at + 3].decode()
            assert re.fullmatch("[0-9A-F]{2}", digits), f"{text!r} holds no escape"
            raw, at = raw + bytes([int(digits, 16)]), at + 3
        else:
            raw, at = raw + data[at : at + 1], at + 1
    return raw.decode()


def key_of(path):
    parts = path.split("/")
    assert parts.pop(0) == "data", path
    if parts[0] == "^versions":
        parts = parts[1:-1]
    for one in parts:
        assert one not in ("", ".", "..") and len(one.encode()) <= 255, path
    key = []
    for place, one in enumerate(parts):
        last = place == len(parts) - 1
        one = re.sub("(\\^c[0-9a-f]{8})+$", "", one)
        if last and one.endswith("^f"):
            one = one[:-2]
        if one == "^d" and last or one == "^e" and not last:
            key.append("")
        else:
            key.append(part(one))
    return None if None in key else "/".join(key)


found, paths = {}, set()
with open(os.path.join(archive, b"metadata/objects.jsonl"), encoding="utf-8", newline="\n") as rows:
    for line in rows:
        row = json.loads(line)
        path = row["path"]
        if path is None:
            continue
        assert path not in paths, f"{path!r} is used twice"
        paths.add(path)
        key = key_of(path)
        assert key in (None, row["key"]), f"{path!r} leads to {key!r}, not to {row['key']!r}"
        with open(os.path.join(archive, path.encode()), "rb") as file:
            sha256 = hashlib.sha256(file.read()).hexdigest()
        assert sha256 == row["sha256"], f"{path!r} is not what its row says"
        if row["in_s3"] and row["current"]:
            found[row["key"]] = sha256
json.dump(found, sys.stdout)
