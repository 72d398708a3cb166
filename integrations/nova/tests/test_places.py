# SPDX-License-Identifier: Apache-2.0
"""Where the driver meets what is private in Nova, by reading Nova's source.

Of the installed Nova, or of the checkout that NOVA_SOURCE names:

    NOVA_SOURCE=/path/to/nova python3 -m pytest tests/test_places.py

A method that went, takes other parameters, or does no longer call what the
driver has put in its place, is named: that is a place to look at.
"""

import ast
import importlib.util
import os
import pathlib
import unittest

OURS = pathlib.Path(__file__).parent.parent / 'nova/virt/mayfly.py'
DRIVER = 'virt/libvirt/driver.py'
BACKEND = 'virt/libvirt/imagebackend.py'

# Of each, what it has to call for the driver's methods to have an effect.
CALLS = {
    '_create_and_inject_local_root': ('by_name', '_try_fetch_image_cache'),
    '_try_fetch_image_cache': ('cache',),
    '_create_image': ('_create_and_inject_local_root', 'by_name', 'cache'),
    '_create_guest': ('create', 'post_xml_callback', 'launch'),
    '_create_guest_with_network': ('_create_guest',),
    '_cleanup': ('_cleanup_lvm', 'delete_instance_files', '_undefine_domain'),
    '_create_configdrive': ('_build_device_metadata',
                            'ConfigDriveBuilder', 'make_drive',
                            '_get_disk_config_image_type'),
    '_hard_reboot': ('_get_instance_disk_info_from_config',
                     '_create_guest_with_network'),
    'cleanup': ('_cleanup',),
    'destroy': ('_destroy', 'cleanup'),
    'finish_migration': ('_create_image', '_create_guest_with_network'),
    'power_on': ('_hard_reboot',),
    'rescue': ('_create_image', '_destroy', '_create_guest'),
    'reboot': ('_hard_reboot',),
    'resume_state_on_host_boot': ('_hard_reboot',),
    'snapshot': ('direct_snapshot', 'by_libvirt_path',
                 '_suspend_guest_for_snapshot'),
    'spawn': ('_create_image', '_create_configdrive',
              '_create_guest_with_network'),
    'unrescue': ('_destroy', '_create_guest', '_lvm_disks'),
    'update_provider_tree': ('_get_local_gb_info',),
}
USED = ('_disconnect_volume', 'get_host_ip_addr', 'power_off', 'unplug_vifs')


def nova_folder():
    if 'NOVA_SOURCE' in os.environ:
        return pathlib.Path(os.environ['NOVA_SOURCE']) / 'nova'
    return pathlib.Path(importlib.util.find_spec('nova').origin).parent


def methods(path, name):
    """Those of one class, by name."""
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return {one.name: one for one in node.body
                    if isinstance(one, ast.FunctionDef)}
    raise AssertionError('%s: no class %s any more' % (path, name))


def parameters(function):
    """Names; None for what takes any."""
    arguments = function.args
    if arguments.vararg:
        return None
    return [one.arg for one in arguments.args + arguments.kwonlyargs]


def called(function):
    """Also what is only handed on, to be called later."""
    names = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Name):
            names.add(node.id)
    return names


class Places(unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.theirs = methods(nova_folder() / DRIVER, 'LibvirtDriver')
        self.ours = methods(OURS, 'MayflyDriver')

    def test_what_is_overridden(self):
        own = ('__init__', 'init_host')
        for name, method in self.ours.items():
            if name not in self.theirs:
                continue
            with self.subTest(name):
                wanted = parameters(method)
                if wanted is not None:
                    self.assertEqual(parameters(self.theirs[name]), wanted)
        new = {name for name in self.ours if name not in self.theirs}
        self.assertEqual(
            {'_check_configuration', '_add_disks', '_check_encrypted',
             '_add_rescue_disk', '_grant_to_owner', '_grow', '_open', '_close',
             '_room', '_runs', '_is_default',
             '_remove_what_was_left', '_make', '_forget_images',
             '_remove_rescue_disk'},
            new - set(own))

    def test_who_calls_it(self):
        for name, wanted in CALLS.items():
            with self.subTest(name):
                self.assertIn(name, self.theirs)
                self.assertLessEqual(set(wanted), called(self.theirs[name]))

    def test_what_is_used(self):
        self.assertLessEqual(set(USED), set(self.theirs))

    def test_the_backend(self):
        base = methods(nova_folder() / BACKEND, 'Image')
        lvm = methods(nova_folder() / BACKEND, 'Lvm')
        ours = methods(OURS, 'Disk')
        self.assertEqual(parameters(lvm['__init__']),
                         parameters(ours['__init__']))
        for name in ('direct_snapshot', 'snapshot_extract', 'get_model',
                     'exists', '_supports_encryption'):
            with self.subTest(name):
                self.assertEqual(parameters(base[name]),
                                 parameters(ours[name]))

    def test_the_config_drive(self):
        builder = methods(nova_folder() / 'virt/configdrive.py',
                          'ConfigDriveBuilder')
        self.assertLessEqual({'_write_md_files', '_make_iso9660'},
                             called(builder['make_drive']))
        self.assertEqual(['self', 'path', 'tmpdir'],
                         parameters(builder['_make_iso9660']))

    def test_how_it_is_chosen(self):
        text = (nova_folder() / BACKEND).read_text()
        self.assertIn('self.BACKEND = {', text)
        self.assertIn("'lvm': Lvm", text)
        text = (nova_folder() / 'virt/driver.py').read_text()
        self.assertIn("'nova.virt.%s' % compute_driver", text)


if __name__ == '__main__':
    unittest.main()
