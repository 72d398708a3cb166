# SPDX-License-Identifier: Apache-2.0
"""Certificates of the tests' own: `good`, `other-name`, and `stranger`, which is of a CA that nobody trusts."""

import os
import ssl
import subprocess
import tempfile

GOOD_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


class Certificates:
    def __init__(self):
        self.made = tempfile.TemporaryDirectory()
        os.chmod(self.made.name, 0o755)
        self.ca_file = self.path("ca.pem")
        self.make("ca", "basicConstraints=critical,CA:TRUE")
        self.make("stranger-ca", "basicConstraints=critical,CA:TRUE")
        self.make("good", GOOD_NAMES, "ca")
        self.make("other-name", "subjectAltName=DNS:barbican.example", "ca")
        self.make("stranger", GOOD_NAMES, "stranger-ca")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.made.cleanup()

    def path(self, name):
        return f"{self.made.name}/{name}"

    def make(self, name, extension, issuer=None):
        signed = ["-CA", self.path(f"{issuer}.pem"), "-CAkey", self.path(f"{issuer}.key")] if issuer else []
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "30", "-subj", f"/CN=mayfly test {name}", "-addext", extension, *signed,
                        "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.pem")],
                       check=True, capture_output=True)
        os.chmod(self.path(f"{name}.pem"), 0o644)

    def context(self, name):
        """For a server that shows this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path(f"{name}.pem"), self.path(f"{name}.key"))
        return context
