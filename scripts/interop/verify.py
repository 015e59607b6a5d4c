"""Verifies published metadata with securesystemslib, the base of python-tuf: the
canonical form, the ids of keys, and every signature of every role by the keys
that root and targets list. Arguments: metadata files, the root first, targets
second. Prints a line for each: role, version, how many signatures hold."""
import hashlib
import json
import sys

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import Key, Signature
from securesystemslib.exceptions import UnverifiedSignatureError


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def check_ids(keys):
    for keyid, key in keys.items():
        want = hashlib.sha256(encode_canonical(key).encode()).hexdigest()
        if want != keyid:
            raise SystemExit(f"key id {keyid} is {want} here")


def count(meta, keys, keyids):
    payload = encode_canonical(meta["signed"]).encode()
    good = 0
    for s in meta["signatures"]:
        if s["keyid"] not in keyids:
            raise SystemExit(f"signed by {s['keyid']}, which is not of the role")
        key = Key.from_dict(s["keyid"], json.loads(json.dumps(keys[s["keyid"]])))
        try:
            key.verify_signature(Signature(s["keyid"], s["sig"]), payload)
        except UnverifiedSignatureError as e:
            raise SystemExit(f"signature of {s['keyid']}: {e}")
        good += 1
    return good


def main(paths):
    root, targets = load(paths[0]), load(paths[1])
    delegations = targets["signed"]["delegations"]
    check_ids(root["signed"]["keys"])
    check_ids(delegations["keys"])
    tables = {name: (root["signed"]["keys"], row) for name, row in root["signed"]["roles"].items()}
    tables.update({row["name"]: (delegations["keys"], row) for row in delegations["roles"]})
    for path in paths:
        role = path.rsplit("/", 1)[-1].removesuffix(".json").split(".", 1)[-1]
        meta = load(path)
        keys, row = tables[role]
        good = count(meta, keys, row["keyids"])
        if good < row["threshold"]:
            raise SystemExit(f"{role}: {good} signatures of {row['threshold']}")
        print(role, meta["signed"]["version"], good)


main(sys.argv[1:])
