#!/bin/sh
# Removes unused files from a Python environment and a gateway folder, about 200 MB.
# Usage: trim.sh VENV GATEWAY
# test/dataplane/trim.test.ts shows that every command of the AWS CLI is still there, with the same operations.
set -eu
venv=$1
gateway=$2
packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

# The AWS CLI carries a botocore and an s3transfer of its own (125 MB of service models, not compressed). The server
# imports the ones of boto3 first, which the CLI then shares; the `aws` command falls back to them as well.
rm -rf "$packages/awscli/botocore" "$packages/awscli/s3transfer"
# Texts of `aws … help`.
rm -rf "$packages/awscli/examples"
# Installers: nothing is installed after the build.
"$venv/bin/python" -m pip --disable-pip-version-check uninstall --quiet --yes setuptools pip

# Byte code cannot be written on a read-only root, and without it the start takes seconds longer. It is not checked
# against its source: times of files differ after copying between stages.
find "$venv" -name __pycache__ -prune -exec rm -rf {} +
"$venv/bin/python" -m compileall -q --invalidation-mode unchecked-hash "$packages"

# Type declarations, source maps and notes of changes; licences stay.
find "$gateway/node_modules" -type f \( -name '*.map' -o -name '*.ts' -o -name '*.cts' -o -name '*.mts' \
  -o -iname 'readme*' -o -iname 'changelog*' -o -iname 'history.md' \) -exec rm -f {} +
