# SPDX-License-Identifier: Apache-2.0
"""The configuration files of the control plane, as texts by name; of a folder and the ports of lab/nova/up."""

from people import password_of, project_of

PASTE_GLANCE = """
[pipeline:glance-api-keystone]
pipeline = versionnegotiation authtoken context root
[composite:root]
paste.composite_factory = glance.api:root_app_factory
/: versions
/v2: v2
[app:versions]
paste.app_factory = glance.api.versions:create_resource
[app:v2]
paste.app_factory = glance.api.v2.router:API.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
delay_auth_decision = true
[filter:versionnegotiation]
paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
"""

PASTE_NOVA = """
[composite:osapi_compute]
use = call:nova.api.openstack.urlmap:urlmap_factory
/: versions
/v2.1: v21
[pipeline:v21]
pipeline = request_id fault size authtoken context v21_app
[pipeline:versions]
pipeline = fault versions_app
[app:v21_app]
paste.app_factory = nova.api.openstack.compute:APIRouterV21.factory
[app:versions_app]
paste.app_factory = nova.api.openstack.compute.versions:Versions.factory
[filter:request_id]
paste.filter_factory = nova.api.compute_req_id:ComputeReqIdMiddleware.factory
[filter:fault]
paste.filter_factory = nova.api.openstack:FaultWrapper.factory
[filter:size]
paste.filter_factory = oslo_middleware:RequestBodySizeLimiter.factory
[filter:context]
paste.filter_factory = nova.api.auth:NovaKeystoneContext.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
"""

PASTE_CINDER = """
[composite:osapi_volume]
use = call:cinder.api:root_app_factory
/: versions
/v3: v3
[composite:v3]
use = call:cinder.api.middleware.auth:pipeline_factory
keystone = request_id fault size authtoken context v3_app
[pipeline:versions]
pipeline = fault versions_app
[app:v3_app]
paste.app_factory = cinder.api.v3.router:APIRouter.factory
[app:versions_app]
paste.app_factory = cinder.api.versions:Versions.factory
[filter:request_id]
paste.filter_factory = cinder.api.middleware.request_id:RequestId.factory
[filter:fault]
paste.filter_factory = cinder.api.middleware.fault:FaultWrapper.factory
[filter:size]
paste.filter_factory = oslo_middleware.sizelimit:RequestBodySizeLimiter.factory
[filter:context]
paste.filter_factory = cinder.api.middleware.auth:CinderKeystoneContext.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
"""

# Not a daemon of Debian's, and nothing of it but on loopback.
RABBIT = """
listeners.tcp.1 = 127.0.0.1:{rabbit}
loopback_users = none
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 10MB
log.console = true
log.console.level = warning
log.file = false
"""

# Roots as large as their image, for short tests; by default they are an administrator's.
POLICY = """
"os_compute_api:servers:create:zero_disk_flavor": ""
"""


def ini(sections):
    return "".join(f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())
                   for name, options in sections.items())


def of(folder, keystone, ports):
    """Keystone by its URL. Each service asks as the user nova, who is admin and service in project service."""
    who = {"auth_type": "password", "auth_url": keystone, "username": "nova", "password": password_of("nova"),
           "project_name": project_of("nova"), "user_domain_name": "Default", "project_domain_name": "Default",
           "region_name": "RegionOne"}
    glance = {
        "DEFAULT": {"enabled_backends": "files:file", "use_stderr": "true",
                    "worker_self_reference_url": f"http://127.0.0.1:{ports['image']}"},
        "database": {"connection": f"sqlite:///{folder}/glance.db"},
        "glance_store": {"default_backend": "files"},
        "files": {"filesystem_store_datadir": f"{folder}/images"},
        "os_glance_staging_store": {"filesystem_store_datadir": f"{folder}/staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": f"{folder}/tasks"},
        "paste_deploy": {"flavor": "keystone", "config_file": f"{folder}/glance-api-paste.ini"},
        "keystone_authtoken": who | {"www_authenticate_uri": keystone},
    }
    placement = {
        "DEFAULT": {"use_stderr": "true"},
        "api": {"auth_strategy": "keystone"},
        "placement_database": {"connection": f"sqlite:///{folder}/placement.db", "sync_on_startup": "true"},
        "keystone_authtoken": who,
    }
    nova = {
        "DEFAULT": {
            "my_ip": "127.0.0.1", "state_path": f"{folder}/nova",
            "transport_url": f"rabbit://guest:guest@127.0.0.1:{ports['rabbit']}/",
            "enabled_apis": "osapi_compute", "osapi_compute_listen": "127.0.0.1",
            "osapi_compute_listen_port": ports["compute"], "osapi_compute_workers": 1,
            "allow_resize_to_same_host": "true", "use_stderr": "true",
            "default_log_levels": "amqp=WARN,amqplib=WARN,sqlalchemy=WARN,iso8601=WARN,requests=WARN,urllib3=WARN,"
                                  "keystoneauth=WARN,oslo.privsep=INFO"},
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 5},
        "api_database": {"connection": f"sqlite:///{folder}/nova-api.db"},
        "database": {"connection": f"sqlite:///{folder}/nova-cell1.db"},
        "wsgi": {"api_paste_config": f"{folder}/nova-api-paste.ini"},
        "oslo_concurrency": {"lock_path": f"{folder}/nova/locks"},
        "oslo_policy": {"policy_file": f"{folder}/policy.yaml"},
        "oslo_messaging_rabbit": {"heartbeat_timeout_threshold": 0},
        "keystone_authtoken": who, "placement": who, "neutron": who,
        "service_user": who | {"send_service_user_token": "true"},
        "cinder": who | {"os_region_name": "RegionOne"},
        "glance": {"region_name": "RegionOne", "num_retries": 3},
        "barbican": {"auth_endpoint": keystone},
        "vnc": {"enabled": "false"},
        "spice": {"enabled": "false"},
    }
    cinder = {
        "DEFAULT": {
            "my_ip": "127.0.0.1", "state_path": f"{folder}/cinder",
            "transport_url": f"rabbit://guest:guest@127.0.0.1:{ports['rabbit']}/",
            "auth_strategy": "keystone", "api_paste_config": f"{folder}/cinder-api-paste.ini",
            "osapi_volume_listen": "127.0.0.1", "osapi_volume_listen_port": ports["volume"], "osapi_volume_workers": 1,
            "glance_api_servers": f"http://127.0.0.1:{ports['image']}", "use_stderr": "true"},
        "database": {"connection": f"mysql+pymysql://root@127.0.0.1:{ports['sql']}/cinder"},
        "oslo_concurrency": {"lock_path": f"{folder}/cinder"},
        "oslo_messaging_rabbit": {"heartbeat_timeout_threshold": 0},
        "keystone_authtoken": who | {"service_token_roles_required": "true"},
    }
    return {"glance-api.conf": ini(glance), "glance-api-paste.ini": PASTE_GLANCE, "placement.conf": ini(placement),
            "nova.conf": ini(nova), "nova-api-paste.ini": PASTE_NOVA, "policy.yaml": POLICY,
            "cinder.conf": ini(cinder), "cinder-api-paste.ini": PASTE_CINDER,
            "rabbitmq.conf": RABBIT.format(**ports),
            "enabled_plugins": "[].\n"}
