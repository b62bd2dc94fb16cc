"""Expands a SAM template to CloudFormation, offline: python expand.py TEMPLATE RESULT."""

import json
import sys
from pathlib import Path

from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class ManagedPolicies:
    """Stands in for the look-up of managed policies at AWS."""

    def load(self):
        names = ("AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole")
        return {name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in names}


def expand(template, result):
    document = yaml_parse(Path(template).read_text(encoding="utf-8"))
    for resource in document["Resources"].values():
        # `sam deploy` puts the URLs of uploaded packages here.
        if "CodeUri" in resource.get("Properties", {}):
            resource["Properties"]["CodeUri"] = "s3://bucket/package.zip"
    Path(result).write_text(json.dumps(transform(document, {}, ManagedPolicies()), indent=1), encoding="utf-8")


try:
    expand(*sys.argv[1:])
except InvalidDocumentException as error:
    for cause in error.causes:
        print(cause.message)
    sys.exit(1)
