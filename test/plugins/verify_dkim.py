"""Verifies messages with Debian's python3-dkim, which is no code that Postern signs with.

Reads one JSON object: records, a map from name to the text of a TXT record, and messages, in base64. Writes a list with
the results of both signatures of each message, or what went wrong.
"""

import base64
import json
import sys

import dkim

given = json.load(sys.stdin)


def lookup(name, timeout=5):
    return given["records"].get(name.decode().rstrip("."), "").encode() or None


def verify(message):
    try:
        verifier = dkim.DKIM(base64.b64decode(message))
        return [verifier.verify(idx=index, dnsfunc=lookup) for index in (0, 1)]
    except Exception as error:
        return [repr(error)]


json.dump([verify(message) for message in given["messages"]], sys.stdout)
