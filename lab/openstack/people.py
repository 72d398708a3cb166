# SPDX-License-Identifier: Apache-2.0
"""Who is known to the Keystone of lab/openstack/up: lab/openstack/setup makes them, and all others sign in as them.

Each has one project, roles in that, and a password.
"""

PEOPLE = {
    "admin": ("admin", "admin"),
    "alice": ("tenant-a", "member", "creator"),      # owns secrets
    "carol": ("tenant-a", "member"),                 # may do nothing with them
    "dave": ("tenant-a", "reader", "observer"),      # may read them
    "bob": ("tenant-b", "member", "creator"),        # another tenant
    "compute": ("service", "service"),               # the host; reads what it is granted
    "barbican": ("service", "admin", "service"),     # checks tokens
    "nova": ("service", "admin", "service"),         # of lab/nova/up alone, which makes it
}


def project_of(name):
    return PEOPLE[name][0]


def roles_of(name):
    return PEOPLE[name][1:]


def password_of(name):
    return f"{name}-pw"


def login(name):
    """The body of a POST to Keystone's /auth/tokens."""
    domain = {"name": "Default"}
    user = {"name": name, "domain": domain, "password": password_of(name)}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}},
                     "scope": {"project": {"name": project_of(name), "domain": domain}}}}
