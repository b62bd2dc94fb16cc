"""Tests the program that calls the setup, in an expanded template: python setup_test.py EXPANDED."""

import io
import json
import sys
import types

VERSION = "arn:aws:lambda:eu-central-1:123456789012:function:setup:{}"
results = []
calls = []
answers = []


def send(_event, _context, status, _data, physical_id, reason):
    results.append((status, physical_id, reason))


class Client:
    def invoke(self, **call):
        calls.append(call)
        return answers.pop()


def event(kind, version, before=None):
    properties = {"Version": VERSION.format(version)}
    old = {} if before is None else {"OldResourceProperties": {"Version": VERSION.format(before)}}
    return {"RequestType": kind, "ResourceProperties": properties, **old}


def handle(*of_event, answer):
    calls.clear()
    answers[:] = [answer]
    handler(event(*of_event), None)
    return [call["FunctionName"] for call in calls], *results[-1]


sys.modules["boto3"] = types.SimpleNamespace(client=lambda name, config: Client())
sys.modules["cfnresponse"] = types.SimpleNamespace(SUCCESS="SUCCESS", FAILED="FAILED", send=send)
with open(sys.argv[1], encoding="utf-8") as file:
    program = json.load(file)["Resources"]["SetupCaller"]["Properties"]["Code"]["ZipFile"]
exec(program, globals())

assert handle("Create", 1, answer={}) == ([VERSION.format(1)], "SUCCESS", "setup", None)
assert handle("Update", 10, 9, answer={}) == ([VERSION.format(10)], "SUCCESS", "setup", None)
assert calls[0]["Payload"] == b'{"setup": true}'
assert handle("Update", 9, 10, answer={}) == ([], "SUCCESS", "setup", None), "a rollback"
assert handle("Delete", 9, answer={}) == ([], "SUCCESS", "setup", None)
failed = {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorMessage":"no database"}')}
assert handle("Create", 1, answer=failed) == (
    [VERSION.format(1)],
    "FAILED",
    "setup",
    'the setup failed: {"errorMessage":"no database"}',
)
