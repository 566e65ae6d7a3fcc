"""Makes a certificate authority and a server certificate for one host name, both valid for a week.

usage: certificate.py HOST DIRECTORY; writes ca.pem, cert.pem and key.pem there.
Runs in moto's virtual environment: Node has no way to make certificates, and a user's machine may have no openssl.
"""

import datetime
import os
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

host, directory = sys.argv[1:]
now = datetime.datetime.now(datetime.timezone.utc)


def certificate(subject, issuer, public_key, signing_key, ca, extensions):
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=7))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        # Both identifiers and the key usage are required by the strict verification of Python 3.13.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not ca,
                key_cert_sign=ca,
                crl_sign=ca,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signing_key, hashes.SHA256())


def write(name, content):
    with open(os.open(os.path.join(directory, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


def named(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
authority = named("holmes-aws-mcp local authority")
pem = serialization.Encoding.PEM
ca = certificate(authority, authority, authority_key.public_key(), authority_key, True, [])
leaf = certificate(
    named(host),
    authority,
    server_key.public_key(),
    authority_key,
    False,
    [x509.SubjectAlternativeName([x509.DNSName(host)]), x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])],
)
write("ca.pem", ca.public_bytes(pem))
write("cert.pem", leaf.public_bytes(pem))
write(
    "key.pem",
    server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
)
