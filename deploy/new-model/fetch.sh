#!/usr/bin/env bash
# Gets a model from S3, or from anything that speaks its protocol, if it is another than the last time.
#
#   fetch.sh BUCKET KEY FILE
#
# Exit codes: 0 a new model is in FILE; 3 the model is the one that FILE came from before; anything else: curl's.
# FILE.etag remembers which one that is; without FILE it does not count.
#
#   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN (if there is one), AWS_REGION (default us-east-1)
#   AWS_ENDPOINT_URL   default https://s3.AWS_REGION.amazonaws.com
set -euo pipefail
usage='usage: fetch.sh BUCKET KEY FILE'
bucket=${1:?$usage} key=${2:?$usage} file=${3:?$usage}
region=${AWS_REGION:-us-east-1}
endpoint=${AWS_ENDPOINT_URL:-https://s3.$region.amazonaws.com}
access=${AWS_ACCESS_KEY_ID:?is not set} secret=${AWS_SECRET_ACCESS_KEY:?is not set}
[[ -d $(dirname "$file") ]] || { echo "$(dirname "$file"), where the model is to go, is not a folder" >&2; exit 73; }
[[ -e $file ]] || rm -f "$file.etag"
trap 'rm -f "$file.new" "$file.etag.new"' EXIT

# The credentials reach curl on its standard input: a command line can be read by every process of the machine.
# S3 wants the digest of the body, here of none, among what is signed; not every curl adds it.
status=$(
  {
    echo "header = \"x-amz-content-sha256: $(sha256sum </dev/null | cut -d ' ' -f 1)\""
    echo "user = \"$access:$secret\""
    if [[ -n ${AWS_SESSION_TOKEN:-} ]]; then
      echo "header = \"x-amz-security-token: $AWS_SESSION_TOKEN\""
    fi
  } | curl --config - --silent --show-error --fail --retry 3 --max-time 600 --aws-sigv4 "aws:amz:$region:s3" \
    --etag-save "$file.etag.new" --etag-compare "$file.etag" --output "$file.new" --write-out '%{http_code}' \
    "$endpoint/$bucket/$key"
) || {
  code=$?
  echo "$endpoint/$bucket/$key was not fetched (403: the credentials; 404: the bucket or the key)" >&2
  exit "$code"
}
if [[ $status == 304 ]]; then
  echo "s3://$bucket/$key has not changed"
  exit 3
fi
# The model first: if this ends between the two, the next run fetches again.
mv "$file.new" "$file"
mv "$file.etag.new" "$file.etag"
echo "s3://$bucket/$key: $(stat -c %s "$file") bytes"
