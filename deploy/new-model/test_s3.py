"""Tests fetch.sh against a local S3 server (moto) that checks signatures and rights: `python test_s3.py`.

Needs `moto[server]` and boto3; deploy/requirements.txt has both.
"""

import json
import logging
import os
import subprocess
import tempfile
from pathlib import Path

# moto reads this when it is imported: the first four requests need no rights. They make a bucket, and a user who has some.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "4"
import boto3  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent.parent / "model" / "model.json"
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


def fetch(endpoint, file, access, secret, key="pick-regno/model.json"):
    env = {**os.environ, "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
    told = subprocess.run([HERE / "fetch.sh", "models", key, file], env=env, capture_output=True, text=True)
    print(f"{told.returncode}: {(told.stdout + told.stderr).strip()}")
    return told.returncode


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    as_anyone = {"endpoint_url": endpoint, "region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
    boto3.client("s3", **as_anyone).create_bucket(Bucket="models")
    iam = boto3.client("iam", **as_anyone)
    iam.create_user(UserName="trainer")
    made = iam.create_access_key(UserName="trainer")["AccessKey"]
    iam.put_user_policy(UserName="trainer", PolicyName="s3", PolicyDocument=json.dumps(POLICY))
    access, secret = made["AccessKeyId"], made["SecretAccessKey"]
    bucket = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=access, aws_secret_access_key=secret
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.json"
        bucket.put_object(Bucket="models", Key="pick-regno/model.json", Body=MODEL.read_bytes())
        assert fetch(endpoint, file, access, secret) == 0
        assert file.read_bytes() == MODEL.read_bytes(), "the model arrives as it is"
        assert fetch(endpoint, file, access, secret) == 3, "an unchanged model is not fetched"
        assert fetch(endpoint, file, access, secret[::-1]) == 22, "a wrong secret is refused"
        assert fetch(endpoint, file, access, secret, "pick-regno/none") == 22, "a missing model is an error"
        assert file.read_bytes() == MODEL.read_bytes(), "what is there stays after an error"
        assert sorted(path.name for path in Path(folder).iterdir()) == [file.name, f"{file.name}.etag"], "nothing else does"
        file.unlink()
        assert fetch(endpoint, file, access, secret) == 0, "a model that is no longer there is fetched again"
        assert fetch(endpoint, Path(folder) / "none" / "model.json", access, secret) == 73, "a missing folder is named"
        assert fetch(endpoint, file, access, "") == 1, "without a secret nothing is asked"
        bucket.put_object(Bucket="models", Key="pick-regno/model.json", Body=b"another")
        assert fetch(endpoint, file, access, secret) == 0
        assert file.read_bytes() == b"another", "a new model is fetched"
    server.stop()
    print("fetch.sh: a model from S3, an unchanged one, a wrong secret, missing ones, a new one: as they should be")


if __name__ == "__main__":
    main()
