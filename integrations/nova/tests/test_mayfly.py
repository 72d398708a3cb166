# SPDX-License-Identifier: Apache-2.0
"""The driver with Nova's own classes, as they are installed.

In the place of mayfly there is a program that notes how it was called, and
says what it is told to: so all is real up to the boundary of the process.
"""

import json
import os
import pathlib
import tempfile
import unittest
from unittest import mock

import nova.conf
import nova.virt
nova.virt.__path__.append(
    str(pathlib.Path(__file__).parent.parent / 'nova' / 'virt'))

from nova import config  # noqa: E402
from nova import context as nova_context  # noqa: E402
from nova import exception  # noqa: E402
from nova import objects  # noqa: E402
from nova.virt.libvirt import config as vconfig  # noqa: E402
from nova.virt.libvirt import driver  # noqa: E402
from nova.virt.libvirt import imagebackend  # noqa: E402
from nova.virt import mayfly  # noqa: E402
from nova.virt import mayfly_program as program  # noqa: E402

CONF = nova.conf.CONF
UUID = '5c0e1c9e-0f53-4b1c-9d1e-3f4f6c1a7a10'
GIB = 1 << 30

PROGRAM = '''#!/usr/bin/python3 -IS
import json, os, sys
folder = %r
words = sys.argv[1:]
token = sys.stdin.read() if '--token-fd' in words else ''
with open(folder + '/calls', 'a') as file:
    file.write(json.dumps({'words': words, 'token': token, 'os': {
        k: v for k, v in os.environ.items() if k.startswith('OS_')}}) + '\\n')
verb = words[0]
try:
    first = folder + '/' + verb + '.first'  # is said once
    if os.path.exists(first):
        os.rename(first, folder + '/' + verb + '.said')
        answers = verb + '.said'
    else:
        answers = verb
    with open(folder + '/' + answers) as file:
        answer = json.load(file)
except FileNotFoundError:
    answer = {}
if answer.get('hangs'):
    import signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if '--output-fd' in words and not answer.get('nothing'):
    fd = int(words[words.index('--output-fd') + 1])
    os.write(fd, b'disk' * answer.get('times', 1000))
while answer.get('hangs'):
    time.sleep(1)
if 'said' in answer:
    sys.stderr.write(answer['said'])
if 'text' in answer:
    print(answer['text'])
else:
    print(json.dumps({'version': 1, 'verb': verb, **answer}))
sys.exit(answer.get('error', {}).get('status', 0))
'''

METRICS = [{'name': 'mayfly_volume_group_%s_bytes' % what, 'value': value,
            'labels': {'volume_group': group}}
           for group, what, value in (('vg0', 'size', 10 * GIB),
                                      ('vg0', 'free', 4 * GIB),
                                      ('vg1', 'size', 99 * GIB))]


# What libvirt says before what its hook has said.
HOOK = ('Hook script execution failed: internal error: Child process '
        '(LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin '
        'HOME=/root /etc/libvirt/hooks/qemu.d/mayfly instance-00000003 '
        'prepare begin -) unexpected exit status 1: ')


def error(name, status, text='what it says'):
    return {'error': {'name': name, 'status': status, 'text': text}}


class Case(unittest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        program = self.folder / 'bin' / 'mayfly'
        program.parent.mkdir()
        program.write_text(PROGRAM % folder.name)
        program.chmod(0o755)
        self.patch(mock.patch.dict(os.environ, {
            'PATH': '%s:%s' % (program.parent, os.environ['PATH']),
            'OS_PASSWORD': 'of somebody else'}))
        config.parse_args(['nova-compute'], default_config_files=[])
        objects.register_all()
        self.addCleanup(CONF.reset)
        for group, name, value in (
                (None, 'instances_path', folder.name + '/instances'),
                (None, 'state_path', folder.name),
                ('oslo_concurrency', 'lock_path', folder.name + '/locks'),
                ('barbican', 'auth_endpoint', 'http://keystone/v3'),
                ('libvirt', 'images_type', 'lvm'),
                ('libvirt', 'images_volume_group', 'vg0')):
            self.configure(name, value, group)
        self.volumes = set()  # that are there
        self.patch(mock.patch.object(
            mayfly.Disk, '_is_there',
            lambda disk, volume: volume in self.volumes))
        self.driver = mayfly.MayflyDriver(mock.Mock())
        self.patch(mock.patch.object(
            mayfly.MayflyDriver, '_room_is_new', False))
        self.user = nova_context.RequestContext(
            'alice', 'tenant-a', auth_token='a token')
        self.admin = nova_context.get_admin_context()
        self.made(True)
        self.answer('metrics', metrics=METRICS)

    def failure(self, kind, function, *args, **kwargs):
        with self.assertRaises(kind) as caught:
            function(*args, **kwargs)
        return caught.exception

    def patch(self, patcher):
        self.addCleanup(patcher.stop)
        return patcher.start()

    def configure(self, name, value, group=None):
        CONF.set_override(name, value, group)
        self.addCleanup(CONF.clear_override, name, group)

    def answer(self, verb, **document):
        (self.folder / verb).write_text(json.dumps(document))

    def answer_once(self, verb, **document):
        self.answer(verb + '.first', **document)

    def made(self, encrypted):
        self.answer('add-disks', instances=[
            {'disks': [{'role': 'root', 'encrypted': True},
                       {'role': 'swap', 'encrypted': encrypted}]}])

    def calls(self):
        try:
            lines = (self.folder / 'calls').read_text().splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def words(self):
        return [' '.join(call['words']) for call in self.calls()]

    def instance(self, **changes):
        flavor = objects.Flavor(
            root_gb=2, ephemeral_gb=0, swap=64, memory_mb=128, vcpus=1,
            extra_specs={})
        fields = dict(
            uuid=UUID, id=1, flavor=flavor, old_flavor=None, new_flavor=None,
            image_ref='3b0e1c9e-0f53-4b1c-9d1e-3f4f6c1a7a11', kernel_id='',
            ramdisk_id='', os_type='linux', config_drive='', host='here',
            project_id='tenant-a', user_id='alice', vm_state='building',
            task_state=None, system_metadata={}, ephemeral_key_uuid=None,
            vm_mode=None, architecture=None, display_name='web',
            trusted_certs=None, migration_context=None)
        fields.update(changes)
        return objects.Instance(**fields)


class Making(Case):
    """By Nova's own _create_image()."""

    def setUp(self):
        super().setUp()
        self.image_bytes = GIB
        self.fetched = []

        def fetch(context, target, image_id, *args, **kwargs):
            self.fetched.append(image_id)
            with open(target, 'wb') as file:
                file.truncate(self.image_bytes)

        self.patch(mock.patch('nova.virt.libvirt.utils.fetch_image', fetch))
        self.patch(mock.patch(
            'nova.virt.disk.api.get_disk_size', os.path.getsize))

    def create(self, instance=None, names=('disk', 'disk.swap'), suffix='',
               block_device_info=None, context=None):
        mapping = {name: {'bus': 'virtio', 'dev': 'vd' + 'abcdef'[i],
                          'type': 'disk'} for i, name in enumerate(names)}
        return self.driver._create_image(
            context or self.user, instance or self.instance(), mapping,
            suffix=suffix, block_device_info=block_device_info)

    def base(self):
        return next((self.folder / 'instances' / '_base').iterdir())

    def test_all_disks_are_made_by_one_call(self):
        self.assertEqual((True, True), self.create())
        call, = self.calls()
        self.assertEqual(
            ['add-disks', '--json', '--uuid', UUID, '--volume-group', 'vg0',
             '--root', str(2 * GIB), '--image', str(self.base()),
             '--image-format', 'raw', '--swap', str(64 << 20),
             'instance-00000001', '--token-fd', '0'], call['words'])
        self.assertEqual('a token', call['token'])

    def test_what_a_shelved_server_held_does_not_stay_in_the_cache(self):
        cache = self.folder / 'instances' / '_base'
        for answer, fails in ((None, False), (error('no-space', 8), True)):
            if answer:
                self.answer('add-disks', **answer)
            try:
                self.create(self.instance(vm_state='shelved_offloaded'))
                self.assertFalse(fails)
            except program.Failed:
                self.assertTrue(fails)
            self.assertEqual([], list(cache.iterdir()))
        self.assertEqual(2, len(self.fetched))

    def test_nor_where_nova_compute_was_killed(self):
        """Then it goes when nova-compute starts; other images stay."""
        with mock.patch.object(self.driver, '_forget_images'):
            self.create(self.instance(vm_state='shelved_offloaded'))
        of_shelved = self.base()
        half = of_shelved.with_name(of_shelved.name + '.part')
        half.touch()
        self.create()
        with mock.patch.object(driver.LibvirtDriver, 'init_host'):
            self.driver.init_host('here')
        self.assertFalse(of_shelved.exists())
        self.assertFalse(half.exists())
        self.assertTrue(self.base().exists())

    def test_the_caller_alone_is_who_asks(self):
        self.create()
        call, = self.calls()
        self.assertEqual({'OS_AUTH_URL': 'http://keystone/v3'}, call['os'])
        self.assertNotIn('a token', ' '.join(call['words']))

    def test_without_a_caller_the_host_asks(self):
        self.create(context=self.admin)
        call, = self.calls()
        self.assertEqual({}, call['os'])
        self.assertNotIn('--token-fd', call['words'])

    def test_the_owner_may_use_a_key_that_an_administrator_made(self):
        self.user.project_id = 'of-administrators'
        self.create()
        self.assertEqual(
            ['key grant --json %s --user alice --token-fd 0' % UUID],
            self.words()[1:])
        self.answer('key', **error('unreachable', 6))
        self.create()  # the server is whole all the same

    def test_ephemeral_disks_by_nova_s_choice_of_file_system(self):
        disks = {'ephemerals': [
            {'device_name': '/dev/vdb', 'size': 1, 'guest_format': None},
            {'device_name': '/dev/vdc', 'size': 3, 'guest_format': 'xfs'}]}
        instance = self.instance()
        instance.flavor.swap = 0
        for os_type, fs in (('linux', 'ext4'), (None, 'vfat'),
                            ('windows', 'vfat')):
            instance.os_type = os_type
            self.create(instance, ('disk', 'disk.eph0', 'disk.eph1'),
                        block_device_info=disks)
            words = self.words()[-1]
            self.assertIn('--ephemeral %d,fs=%s ' % (GIB, fs), words)
            self.assertIn('--ephemeral %d,fs=xfs ' % (3 * GIB), words)

    def test_volumes_of_cinder_are_not_mayfly_s(self):
        volumes = {'block_device_mapping': [
            {'mount_device': '/dev/vdc', 'boot_index': None,
             'connection_info': {'data': {'device_path': '/dev/sdz'}}}]}
        self.create(block_device_info=volumes)
        words = self.words()[-1]
        self.assertIn('--root %d ' % (2 * GIB), words)
        self.assertNotIn('sdz', words)

    def test_a_file_system_that_mayfly_does_not_make_is_refused(self):
        disks = {'ephemerals': [
            {'device_name': '/dev/vdb', 'size': 1, 'guest_format': 'ext3'}]}
        self.assertRaises(
            exception.InvalidBDMFormat, self.create, None,
            ('disk', 'disk.eph0'), block_device_info=disks)
        self.assertEqual([], self.calls())
        self.assertEqual({}, mayfly.Disk.noted)

    def test_after_a_create_that_was_killed(self):
        self.answer_once('add-disks', **error('needs-recover', 9))
        self.create()
        made, recovered, again = self.calls()
        self.assertEqual(made, again)
        self.assertEqual(['recover', '--json', '--token-fd', '0'],
                         recovered['words'])
        self.assertEqual('a token', recovered['token'])

    def spawn(self, **fields):
        instance = self.instance(**fields)
        with mock.patch.object(
                driver.LibvirtDriver, 'spawn',
                side_effect=lambda *_: self.create(instance)):
            self.driver.spawn(self.user, instance, None)

    def test_a_server_of_volumes_alone_has_no_config_drive(self):
        """The seed disk would be one of no instance."""
        instance = self.instance(image_ref='', config_drive='1')
        for swap, made in ((0, False), (64, True)):
            instance.flavor.swap = swap
            with mock.patch.object(driver.LibvirtDriver, 'spawn') as its:
                if made:
                    self.driver.spawn(self.user, instance, None)
                else:
                    failed = self.failure(
                        exception.BuildAbortException, self.driver.spawn,
                        self.user, instance, None)
                    self.assertIn('config drive', str(failed))
            self.assertEqual(made, its.called)

    def test_who_may_make_no_key_is_told_so(self):
        self.answer('add-disks', **error('denied', 2, 'no role creator'))
        failed = self.failure(exception.BuildAbortException, self.spawn)
        self.assertIn('no role creator', str(failed))
        self.failure(program.Failed, self.spawn, vm_state='active')

    def test_without_the_key_manager_other_hosts_are_tried(self):
        self.answer('add-disks', **error('unreachable', 6))
        self.failure(program.Failed, self.spawn)

    def test_what_cannot_be_put_in_order_is_told(self):
        self.answer('add-disks', **error('needs-recover', 9, 'half a disk'))
        self.answer('recover', **error('denied', 2))
        failed = self.failure(program.Failed, self.create)
        self.assertIn('half a disk', str(failed))
        self.assertEqual(3, len(self.calls()))

    def test_an_image_is_fetched_once(self):
        self.create()
        self.create(self.instance(uuid=UUID.replace('5', '6')))
        self.assertEqual(1, len(self.fetched))

    def test_an_image_that_is_too_large_is_refused(self):
        self.image_bytes = 3 * GIB
        self.assertRaises(exception.FlavorDiskSmallerThanImage, self.create)
        self.assertEqual([], self.calls())

    def test_what_goes_wrong_is_told(self):
        self.answer('add-disks', **error('failed', 10, 'no room in vg0'))
        failed = self.failure(program.Failed, self.create)
        self.assertEqual('mayfly add-disks: no room in vg0', str(failed))

    def test_a_mayfly_that_does_not_answer(self):
        self.answer('add-disks', text='Killed')
        self.assertRaises(program.Failed, self.create)
        with mock.patch.dict(os.environ, PATH='/nowhere'):
            self.assertRaises(program.Failed, self.create)

    def test_plain_disks_are_not_taken(self):
        self.made(False)
        self.assertRaises(program.Failed, self.create)
        self.assertTrue(self.words()[1].startswith('delete --json --yes'))

    def test_disks_that_are_there_grow(self):
        self.volumes = {'disk', 'disk.swap'}
        self.answer('show', instance={'disks': [
            {'role': 'root', 'size_bytes': GIB},
            {'role': 'swap', 'size_bytes': 64 << 20}]})
        self.create(self.instance(task_state='resize_finish'))
        self.assertEqual([], self.fetched)
        self.assertEqual(
            ['show --json %s --token-fd 0' % UUID,
             'resize --json %s %d --disk root --token-fd 0'
             % (UUID, 2 * GIB)], self.words())

    def test_a_new_server_never_gets_old_disks(self):
        self.volumes = {'disk.swap'}
        for task_state in ('spawning', 'rebuild_spawning'):
            failed = self.failure(
                program.Failed, self.create,
                self.instance(task_state=task_state))
            self.assertIn('here already', str(failed))
        self.assertEqual([], self.calls())

    def test_a_rescue_disk_is_one_more(self):
        self.volumes = {'disk', 'disk.swap'}
        self.create(names=('disk.rescue', 'disk'), suffix='.rescue')
        self.assertEqual(
            ['rescue --json %s --disk-only --image %s --image-format raw '
             '--token-fd 0' % (UUID, self.base())], self.words())

    def config_drive(self, **fields):
        """What the disk is to hold; None: it was not made."""
        held = []
        devices = objects.InstanceDeviceMetadata(devices=[])

        def make(builder, path, folder):
            self.made_in = folder
            self.made_of = sorted(
                str(file.relative_to(folder))
                for file in pathlib.Path(folder).rglob('*') if file.is_file())
            pathlib.Path(path).write_bytes(b'CD001' * 1000)

        def describe(metadata, instance, **more):
            self.assertIs(devices, instance.device_metadata)
            self.described = more
            metadata.metadata_for_config_drive = lambda: [
                ('openstack/latest/meta_data.json', b'{}')]

        def run(context, verb, *words, **how):
            self.assertEqual(('add-disk', UUID, '--seed-image'),
                             (verb, *words[:2]))
            self.assertTrue(words[2].startswith('/dev/shm/'))
            held.append(pathlib.Path(words[2]).read_bytes())

        with mock.patch('nova.virt.configdrive.ConfigDriveBuilder.'
                        '_make_iso9660', make), \
                mock.patch('nova.api.metadata.base.InstanceMetadata.__init__',
                           describe), \
                mock.patch.object(self.driver, '_build_device_metadata',
                                  return_value=devices), \
                mock.patch.object(program, 'run', run):
            self.driver._create_configdrive(
                self.user, self.instance(**fields),
                mock.Mock(admin_pass=self.password, files=['a file']))
        return held[0] if held else None

    password = 'a password'

    def test_what_a_config_drive_holds(self):
        for password, told in (('a password', {'admin_pass': 'a password'}),
                               (None, {})):
            self.password = password
            self.config_drive(config_drive='1')
            self.assertEqual(['openstack/latest/meta_data.json'],
                             self.made_of)
            self.assertEqual((told, ['a file']), (
                self.described['extra_md'], self.described['content']))

    def test_a_config_drive_is_a_disk_of_its_own(self):
        self.assertEqual(b'CD001' * 1000, self.config_drive(config_drive='1'))
        disk = self.driver.image_backend.by_name(
            self.instance(), 'disk.config',
            self.driver._get_disk_config_image_type())
        self.assertEqual('/dev/mapper/%s_disk.seed-dmcrypt' % UUID, disk.path)

    def test_what_a_config_drive_is_made_of_is_never_on_a_disk(self):
        self.configure('tempdir', '/var/tmp')
        self.config_drive(config_drive='1')
        self.assertTrue(self.made_in.startswith('/dev/shm/'))
        self.assertFalse(os.path.exists(self.made_in))

    def test_what_a_killed_one_has_left_of_them_goes_at_start(self):
        with tempfile.TemporaryDirectory() as ram, \
                mock.patch.object(mayfly, 'IN_RAM', ram), \
                mock.patch.object(driver.LibvirtDriver, 'init_host'):
            left = pathlib.Path(ram) / 'nova-config-drive-1' / 'tmp'
            left.mkdir(parents=True)
            (left / 'meta_data.json').write_text('a password')
            (pathlib.Path(ram) / 'of-others').mkdir()
            self.driver.init_host('here')
            self.assertEqual(['of-others'], os.listdir(ram))

    def test_a_config_drive_is_made_once_and_where_it_is_wanted(self):
        self.assertIsNone(self.config_drive())
        self.volumes = {'disk', 'disk.seed'}
        self.assertIsNone(self.config_drive(config_drive='1'))


class Disks(Case):
    def disk(self, name=None, **more):
        return self.driver.image_backend.by_name(
            self.instance(), name, **more)

    def test_names_and_devices(self):
        for name, volume, role in (
                ('disk', 'disk', 'root'), ('disk.swap', 'disk.swap', 'swap'),
                ('disk.local', 'disk.eph0', 'eph0'),
                ('disk.eph3', 'disk.eph3', 'eph3'),
                ('disk.rescue', 'disk.rescue', 'rescue'),
                ('disk.config', 'disk.seed', 'seed'),
                ('disk.config.rescue', 'disk.seed', 'seed')):
            disk = self.disk(name)
            self.assertEqual(
                ('/dev/mapper/%s_%s-dmcrypt' % (UUID, volume), role),
                (disk.path, disk.role))
            self.assertEqual(name, disk.name)
            self.assertEqual(disk.path, disk.get_model(None).path)
            again = self.driver.image_backend.by_libvirt_path(
                self.instance(), disk.path)
            self.assertEqual((role, volume), (again.role, again.name))

    def test_an_adopted_local_disk_keeps_its_name(self):
        self.volumes = {'disk.local'}
        self.assertEqual('local', self.disk('disk.local').role)

    def test_what_the_guest_gets(self):
        info = self.disk('disk', disk_info_mapping={
            'bus': 'virtio', 'dev': 'vda', 'type': 'disk'}).libvirt_info(
                'none', {})
        self.assertEqual(
            ('block', 'raw', 'native', 'none',
             '/dev/mapper/%s_disk-dmcrypt' % UUID),
            (info.source_type, info.driver_format, info.driver_io,
             info.driver_cache, info.source_path))

    def test_other_backends_are_nova_s(self):
        self.assertIs(imagebackend.Flat,
                      self.driver.image_backend.backend('raw'))

    def test_nova_measures_no_volume_of_cinder_for_mayfly(self):
        """It stays in the definition, and Nova knows it by its place."""
        guest = vconfig.LibvirtConfigGuest()
        for name, path in (('vda', '/dev/mapper/%s_disk-dmcrypt' % UUID),
                           ('vdb', '/dev/sdz')):
            device = vconfig.LibvirtConfigGuestDisk()
            device.source_type, device.source_path = 'block', path
            device.target_dev, device.driver_format = name, 'raw'
            guest.add_device(device)
        found = self.driver._get_instance_disk_info_from_config(guest, {
            'block_device_mapping': [{'mount_device': '/dev/vdb'}]})
        self.assertEqual([], found)
        self.assertEqual(['/dev/sdz'],
                         [one.source_path for one in guest.devices])

    def test_nova_does_not_measure_closed_disks(self):
        guest = vconfig.LibvirtConfigGuest()
        for path in ('/dev/mapper/%s_disk-dmcrypt' % UUID, '/dev/vg9/other'):
            device = vconfig.LibvirtConfigGuestDisk()
            device.source_type, device.source_path = 'block', path
            device.target_dev, device.driver_format = 'vda', 'raw'
            guest.add_device(device)
        with mock.patch('nova.virt.libvirt.storage.lvm.get_volume_size',
                        return_value=7) as size:
            found = self.driver._get_instance_disk_info_from_config(
                guest, {'block_device_mapping': []})
        size.assert_called_once_with('/dev/vg9/other')
        self.assertEqual(['/dev/vg9/other'], [one['path'] for one in found])


class Snapshots(Case):
    def snapshot(self, update, **image):
        instance = self.instance(system_metadata={
            'image_' + name: value for name, value in image.items()})
        disk = self.driver.image_backend.by_name(instance, 'disk')

        def whole(*args, **kwargs):
            return update(*args, **kwargs) or {'size': 4000}

        with mock.patch('nova.image.glance.API') as api:
            api.return_value.update.side_effect = whole
            return disk.direct_snapshot(
                self.user, 'a name', 'raw', 'an image', 'its base')

    def read(self, context, image_id, image, data, purge_props):
        while data.read(64):
            pass

    def test_the_disk_goes_to_glance_as_it_is_read(self):
        sent = []

        def update(context, image_id, image, data, purge_props):
            sent.append((image_id, image['disk_format'], data.read()))
            self.assertEqual(b'', data.read())

        self.assertIsNone(self.snapshot(update))
        self.assertEqual([('an image', 'raw', b'disk' * 1000)], sent)
        call, = self.calls()
        self.assertEqual('a token', call['token'])
        self.assertEqual(['export', '--json', UUID, '--disk', 'root',
                          '--plaintext', '--output-fd'], call['words'][:7])

    def test_its_formats_are_those_that_nova_says_afterwards(self):
        """Glance does not change them once it has the image."""
        formats = []

        def update(context, image_id, image, data, purge_props):
            self.read(context, image_id, image, data, purge_props)
            formats.append((image['disk_format'], image['container_format']))

        self.snapshot(update)
        self.snapshot(update, disk_format='qcow2', container_format='ovf')
        self.snapshot(update, disk_format='ami', container_format='ami')
        self.assertEqual([('raw', 'bare'), ('raw', 'ovf'), ('ami', 'ami')],
                         formats)

    def test_it_may_be_read_in_parts(self):
        parts = []

        def update(context, image_id, image, data, purge_props):
            parts.extend(iter(lambda: data.read(999), b''))

        self.snapshot(update)
        self.assertEqual(b'disk' * 1000, b''.join(parts))
        self.assertEqual(999, max(map(len, parts)))

    def test_what_stands_against_it_is_told_before_glance_is_asked(self):
        self.answer('export', nothing=1, **error('unreachable', 6, 'no key'))
        update = mock.Mock()
        failed = self.failure(program.Failed, self.snapshot, update)
        self.assertIn('no key', str(failed))
        update.assert_not_called()

    def test_after_an_export_that_was_cut_off(self):
        self.answer_once('export', nothing=1, **error('needs-recover', 9))
        self.snapshot(self.read)
        self.assertEqual(['export', 'recover', 'export'],
                         [call['words'][0] for call in self.calls()])

    def test_an_export_that_is_killed(self):
        self.answer('export', nothing=1, text='Killed', error={'status': 137})
        self.assertRaises(program.Failed, self.snapshot, None)

    def test_a_part_is_never_taken_for_the_whole(self):
        self.answer('export', **error('failed', 10, 'the snapshot was lost'))

        failed = self.failure(program.Failed, self.snapshot, self.read)
        self.assertIn('the snapshot was lost', str(failed))

    def test_an_upload_that_begins_again_is_not_whole(self):
        """Nova repeats it after a lost connection, with the same reader."""

        def update(context, image_id, image, data, purge_props):
            data.read(lost)
            sent = list(iter(lambda: data.read(999), b''))
            return {'size': sum(map(len, sent))}

        for lost in (999, 4000):
            failed = self.failure(program.Failed, self.snapshot, update)
            self.assertIn('given 4000', str(failed))

    def test_an_upload_that_leaves_off_is_not_whole(self):
        self.assertRaises(program.Failed, self.snapshot,
                          lambda context, image_id, image, data, purge_props:
                          {'size': len(data.read(999))})

    def test_an_upload_that_fails_ends_the_export(self):
        def update(*args, **kwargs):
            raise exception.ImageNotFound(image_id='an image')

        self.assertRaises(exception.ImageNotFound, self.snapshot, update)

    def test_no_descriptor_is_left(self):
        before = len(os.listdir('/proc/self/fd'))
        self.snapshot(self.read)
        with mock.patch.dict(os.environ, PATH='/nowhere'):
            self.assertRaises(program.Failed, self.snapshot, None)
        self.assertEqual(before, len(os.listdir('/proc/self/fd')))

    def test_never_to_a_file(self):
        disk = self.driver.image_backend.by_name(self.instance(), 'disk')
        self.assertRaises(program.Failed, disk.snapshot_extract,
                          '/tmp/file', 'raw')

    def test_the_guest_runs_on(self):
        with mock.patch.object(self.driver, 'suspend') as suspend:
            self.driver._suspend_guest_for_snapshot(
                self.user, False, 1, self.instance())
            self.driver._resume_guest_after_snapshot(
                self.user, False, 1, self.instance(), mock.Mock())
        suspend.assert_not_called()


class Starting(Case):
    xml = '<domain/>'

    def create_guest(self, context, fails=None, **how):
        """By Nova's own; what was called before the guest starts."""
        before = []
        self.launched = False

        def launch(pause):
            self.launched = True
            before.extend(self.words())
            if fails:
                raise fails

        with mock.patch('nova.virt.libvirt.guest.Guest.create') as create:
            create.return_value.launch = launch
            self.driver._create_guest(
                context, self.xml, self.instance(), **how)
        self.assertEqual(how.get('power_on', True), self.launched)
        return before

    def test_a_rescue_disk_goes_where_a_guest_starts_without_it(self):
        """An unrescue may have been cut off before."""
        self.volumes = {'disk', 'disk.rescue'}
        for context in (self.user, self.admin):
            self.assertIn('unrescue', self.create_guest(context)[0])
            (self.folder / 'calls').unlink()
        self.xml = '<source dev="/dev/mapper/%s_disk.rescue-dmcrypt"/>' % UUID
        self.assertEqual(['open'], [words.split()[0] for words in
                                    self.create_guest(self.user)])

    def test_who_asks_opens_the_disks(self):
        self.assertEqual(['open --json --for-start %s --token-fd 0' % UUID],
                         self.create_guest(self.user))

    def test_the_config_drive_is_made_before(self):
        """It is a disk to open, too."""
        self.assertEqual(
            ['add-disk', 'open'],
            [words.split()[0] for words in self.create_guest(
                self.user, post_xml_callback=lambda: program.run(
                    self.user, 'add-disk'))])

    def test_without_a_token_libvirt_s_hook_opens_them(self):
        """Nova-compute cannot read the host's password, the hook can."""
        self.answer('open', **error('denied', 2))
        self.create_guest(self.admin)
        self.assertEqual([], self.calls())

    def test_what_is_not_started_is_not_opened(self):
        self.create_guest(self.user, power_on=False)
        self.assertEqual([], self.calls())

    def test_a_start_that_fails_leaves_them_closed(self):
        self.assertRaises(ValueError, self.create_guest, self.user,
                          fails=ValueError())
        self.assertEqual('close --json %s' % UUID, self.words()[1])

    def test_the_first_error_is_told(self):
        self.answer('close', **error('busy', 5))
        self.assertRaises(ValueError, self.create_guest, self.user,
                          fails=ValueError())

    def test_a_server_without_local_disks(self):
        self.answer('open', **error('missing', 4))
        self.create_guest(self.user)

    def test_where_the_caller_has_no_right_the_host_may(self):
        """By libvirt's hook, which refuses the start if it may not."""
        self.answer('open', **error('denied', 2))
        self.create_guest(self.user)
        self.assertEqual([], self.reboot(True)[1:])
        self.assertEqual('open', self.reboot(False)[-1].split()[0])

    def test_another_error_stops_the_start(self):
        self.answer('open', **error('unreachable', 6))
        self.assertRaises(program.Failed, self.create_guest, self.user)
        self.assertFalse(self.launched)

    def reboot(self, runs):
        """Nova's own would be called: what was called before it."""
        guest = mock.Mock()
        guest.is_active.return_value = runs
        before = []
        with mock.patch.object(self.driver, '_host') as host, \
                mock.patch.object(
                    driver.LibvirtDriver, '_hard_reboot',
                    side_effect=lambda *_: before.extend(self.words())) as it:
            host.get_guest.return_value = guest
            if runs is None:
                runs = exception.InstanceNotFound(instance_id=UUID)
            if isinstance(runs, Exception):
                host.get_guest.side_effect = runs
            self.driver._hard_reboot(self.user, self.instance(), [], None)
        it.assert_called_once()
        return before

    def test_the_key_is_had_before_anything_is_touched(self):
        for runs in (False, None):
            self.assertEqual('open --json --for-start %s --token-fd 0' % UUID,
                             self.reboot(runs)[-1])
        self.answer('open', **error('unreachable', 6))
        with mock.patch.object(driver.LibvirtDriver, '_hard_reboot') as it, \
                mock.patch.object(self.driver, '_runs', return_value=False):
            self.assertRaises(program.Failed, self.driver._hard_reboot,
                              self.user, self.instance(), [])
        it.assert_not_called()

    def test_the_disks_of_a_running_guest_are_open(self):
        self.assertEqual([], self.reboot(True))

    def test_of_a_guest_that_libvirt_does_not_tell_of(self):
        """Nova ends it first, or tells why it cannot."""
        for why in (exception.InternalError('libvirt is away'),
                    driver.libvirt.libvirtError('it is away')):
            self.assertEqual([], self.reboot(why))

    def at_start(self, function, fails=None):
        """What nova-compute does without a token: the faults that it notes."""
        with mock.patch('nova.compute.utils.add_instance_fault_from_exc') as \
                fault, mock.patch.object(self.driver, '_host') as host, \
                mock.patch.object(driver.LibvirtDriver, '_hard_reboot',
                                  side_effect=fails) as it:
            host.get_guest.return_value.is_active.return_value = False
            host.get_guest.return_value.get_power_state.return_value = 4
            try:
                function(self.admin, self.instance(), [], 'HARD')
            finally:
                self.faults = [str(call[0][2]) for call in
                               fault.call_args_list]
        it.assert_called_once()

    def resume(self, fails=None):
        self.at_start(lambda context, instance, network, _kind:
                      self.driver.resume_state_on_host_boot(
                          context, instance, network), fails)

    def refused(self, code, text='no right to the key'):
        refused = driver.libvirt.libvirtError(HOOK + text)
        refused.err = (code, 0, HOOK + text, 2, '', '', '', 0, 0)
        return refused

    def test_at_boot_by_the_host_s_right(self):
        self.resume()
        self.assertEqual(([], []), (self.words(), self.faults))

    def test_who_waits_at_boot_is_told_why(self):
        for code, told in (
                (driver.libvirt.VIR_ERR_HOOK_SCRIPT_FAILED, True),
                (driver.libvirt.VIR_ERR_INTERNAL_ERROR, False)):
            self.assertRaises(driver.libvirt.libvirtError, self.resume,
                              self.refused(code))
            self.assertIn('no right to the key', self.faults[0])
            self.assertEqual(told, 'hard reboot' in self.faults[0])
            self.assertEqual(told, HOOK not in self.faults[0])

    def test_who_waits_at_boot_is_told_all_that_nova_keeps(self):
        self.assertRaises(
            driver.libvirt.libvirtError, self.resume, self.refused(
                driver.libvirt.VIR_ERR_HOOK_SCRIPT_FAILED,
                'mayfly: ' + 'no right to the key ' * 20))
        kept = self.faults[0][:255]
        self.assertIn('hard reboot', kept)
        self.assertIn('no right to the key', kept)

    def test_a_reboot_that_goes_on_at_start_does_not_end_nova_compute(self):
        self.at_start(self.driver.reboot, self.refused(
            driver.libvirt.VIR_ERR_HOOK_SCRIPT_FAILED))
        self.assertIn('hard reboot', self.faults[0])

    def test_a_reboot_that_fails_is_told_to_who_asks(self):
        with mock.patch.object(driver.LibvirtDriver, 'reboot',
                               side_effect=program.Failed(
                                   verb='open', reason='no answer')):
            self.assertRaises(program.Failed, self.driver.reboot,
                              self.user, self.instance(), [], 'HARD')


class Ending(Case):
    def setUp(self):
        super().setUp()
        for name in ('_unplug_vifs', 'delete_instance_files',
                     '_undefine_domain', '_get_vpmems'):
            self.patch(mock.patch.object(
                driver.LibvirtDriver, name, return_value=None))
        self.patch(mock.patch('nova.crypto.delete_vtpm_secret'))
        self.patch(mock.patch.object(objects.Instance, 'save'))
        self.driver._in_order = {self.user.project_id}

    def cleanup(self, context, **how):
        self.driver.cleanup(context, self.instance(), [], **how)

    def test_the_key_goes_by_the_token_of_who_deletes(self):
        self.cleanup(self.user)
        self.assertEqual(
            ['delete --json --yes --leave-key %s --token-fd 0' % UUID],
            self.words())
        self.assertEqual({}, self.driver._contexts)

    def test_a_key_that_was_left_goes_at_the_owner_s_next_delete(self):
        """Only the token of its project can find it, or destroy it."""
        other = nova_context.RequestContext(
            'admin', 'of-administrators', auth_token='another token')
        self.driver._in_order.clear()
        for context, recovered in (
                (self.user, True),  # nova-compute may have ended since
                (self.user, False), (self.admin, False), (self.user, True),
                (self.user, False), (other, True), (self.user, True)):
            before = len(self.calls())
            self.cleanup(context)
            calls = self.calls()[before:]
            self.assertEqual(
                ['delete', 'recover'] if recovered else ['delete'],
                [call['words'][0] for call in calls])
            self.assertEqual({context.auth_token or ''},
                             {call['token'] for call in calls})

    def test_a_periodic_task_acts_for_the_host(self):
        self.cleanup(self.admin)
        self.assertEqual(
            ['delete --json --yes --leave-key %s' % UUID], self.words())

    def test_a_snapshot_ends_first(self):
        """Mayfly refuses to delete what is being exported."""
        for how in (dict(times=1 << 20), dict(times=1 << 20, hangs=1)):
            self.answer('export', **how)
            with mock.patch.object(program.Export, 'PATIENCE_SEC', 0.5), \
                    program.Export(self.user, UUID, 'root') as export:
                export.read(1)
                self.cleanup(self.user)
                self.assertIsNotNone(export.process.poll())
                with self.assertRaises(program.Failed):
                    list(iter(export.read, b''))
            self.assertEqual({}, program.Export.running)

    def test_a_snapshot_that_fails_at_once_leaves_nothing(self):
        self.answer('export', nothing=1, **error('unreachable', 6))
        with mock.patch.object(program.Export, 'close', autospec=True,
                               side_effect=program.Export.close) as closed:
            failed = self.failure(program.Failed, program.Export, self.user,
                                  UUID, 'root')
        self.assertEqual('unreachable', failed.kwargs['name'])
        closed.assert_called_once()
        self.assertEqual({}, program.Export.running)

    def test_what_is_gone_already(self):
        self.answer('delete', **error('missing', 4))
        self.cleanup(self.user)

        self.assertEqual(['recover --json --token-fd 0'], self.words()[1:])

    def test_what_never_was(self):
        self.answer('delete', **error('missing', 4))
        volumes = self.instance(image_ref='')
        volumes.flavor.swap = 0
        self.driver.cleanup(self.user, volumes, [])
        self.cleanup(self.admin)
        self.assertEqual(2, len(self.calls()))

    def test_a_delete_that_was_cut_off_is_said_again(self):
        self.answer_once('delete', **error('needs-recover', 9))
        self.cleanup(self.user)
        self.assertEqual(['delete', 'recover', 'delete'],
                         [call['words'][0] for call in self.calls()])

    def test_a_key_manager_that_is_away_is_told(self):
        self.answer('delete', **error('unreachable', 6))
        self.assertRaises(program.Failed, self.cleanup, self.user)
        self.assertEqual({}, self.driver._contexts)

    def test_disks_that_stay_stay(self):
        self.cleanup(self.user, destroy_disks=False)
        self.assertEqual([], self.calls())

    def test_the_disk_of_a_rescue_before_goes_first(self):
        with mock.patch.object(driver.LibvirtDriver, 'rescue') as its:
            self.driver.rescue(self.user, self.instance(), [], None)
            self.assertEqual([], self.calls())
            self.volumes = {'disk', 'disk.rescue'}
            self.driver.rescue(self.user, self.instance(), [], None)
            self.assertEqual(
                ['unrescue --json %s --disk-only --token-fd 0' % UUID],
                self.words())
            self.answer('unrescue', **error('busy', 5))
            self.assertRaises(program.Failed, self.driver.rescue,
                              self.user, self.instance(), [], None)
        self.assertEqual(2, its.call_count)

    def test_at_unrescue_the_rescue_disk_goes(self):
        self.volumes = {'disk', 'disk.rescue'}
        with mock.patch.object(driver.LibvirtDriver, '_destroy'), \
                mock.patch('nova.virt.libvirt.guest.Guest.create'), \
                mock.patch('os.unlink'), \
                mock.patch('nova.virt.libvirt.utils.load_file',
                           return_value='<domain/>'):
            self.driver.unrescue(self.user, self.instance())
        self.assertEqual(
            ['unrescue --json %s --disk-only --token-fd 0' % UUID,
             'open --json --for-start %s --token-fd 0' % UUID],
            self.words())


class Refusals(Case):
    def test_rescue_of_servers_of_volumes(self):
        self.assertFalse(self.driver.capabilities['supports_bfv_rescue'])

    def test_suspend(self):
        refused = self.failure(
            exception.InstanceFaultRollback, self.driver.suspend, self.user,
            self.instance())
        self.assertIn('plaintext', str(refused.inner_exception))

    def test_live_migration(self):
        self.assertRaises(
            exception.MigrationPreCheckError,
            self.driver.check_can_live_migrate_destination, self.user,
            self.instance(), {}, {})

    def test_live_migration_without_local_disks_is_nova_s(self):
        instance = self.instance(image_ref='')
        instance.flavor.swap = 0
        with mock.patch.object(driver.LibvirtDriver,
                               'check_can_live_migrate_destination') as its:
            self.driver.check_can_live_migrate_destination(
                self.user, instance, {}, {})
        its.assert_called_once()

    def resize(self, dest=None, volumes=None, **changes):
        instance = self.instance()
        flavor = instance.flavor.obj_clone()
        for name, value in changes.items():
            setattr(flavor, name, value)
        with mock.patch.object(self.driver, 'power_off') as power_off, \
                mock.patch.object(self.driver, 'unplug_vifs'):
            try:
                return self.driver.migrate_disk_and_power_off(
                    self.user, instance, dest or CONF.my_ip, flavor, [],
                    volumes)
            finally:
                self.powered_off = power_off.called

    def test_nothing_is_taken_for_done(self):
        """Whatever Nova does, an error of Mayfly's reaches it."""
        volumes = mock.Mock()
        root = {'disk': volumes, 'size': 9 * GIB, 'image': 'an image'}
        for verb, role, function in (
                ('rescue', 'rescue', self.driver._add_rescue_disk),
                ('show', 'root', self.driver._grow)):
            volumes.role = role
            self.answer(verb, **error('unreachable', 6, 'no answer'))
            failed = self.failure(program.Failed, function, self.user,
                                  self.instance(), [root])
            self.assertIn('no answer', str(failed))

    def test_a_larger_root_disk_on_this_host(self):
        self.assertEqual('[]', self.resize(root_gb=5))
        self.assertTrue(self.powered_off)

    def test_volumes_of_cinder_are_let_go_for_a_resize(self):
        with mock.patch.object(self.driver, '_disconnect_volume') as let_go:
            self.resize(root_gb=5, volumes={'block_device_mapping': [
                {'connection_info': 'of vdb'}]})
        let_go.assert_called_once_with(self.user, 'of vdb', mock.ANY)

    def test_no_other_resize(self):
        for how in (dict(root_gb=1), dict(swap=0), dict(ephemeral_gb=9),
                    dict(dest='192.0.2.1', root_gb=5)):
            self.assertRaises(exception.InstanceFaultRollback,
                              self.resize, **how)
            self.assertFalse(self.powered_off)

    def test_a_resize_without_local_disks_is_nova_s(self):
        instance = self.instance(image_ref='')
        instance.flavor.swap = 0
        with mock.patch.object(driver.LibvirtDriver,
                               'migrate_disk_and_power_off',
                               return_value='its disks') as its:
            self.assertEqual('its disks', self.driver.
                             migrate_disk_and_power_off(
                                 self.user, instance, '192.0.2.1',
                                 instance.flavor, ['network'], 'volumes',
                                 7, 8))
        its.assert_called_once_with(
            self.user, instance, '192.0.2.1', instance.flavor, ['network'],
            'volumes', 7, 8)

    def test_a_configuration_that_would_leave_keys_is_told(self):
        with mock.patch.object(driver.LibvirtDriver, 'init_host'):
            for interval in (0, 60):
                self.configure('reclaim_instance_interval', interval)
                with mock.patch.object(mayfly.LOG, 'warning') as warned:
                    self.driver.init_host('here')
                self.assertEqual(interval > 0, warned.called)

    def test_configurations_that_would_leave_plaintext(self):
        with mock.patch.object(driver.LibvirtDriver, 'init_host') as its:
            self.driver.init_host('here')
            its.assert_called_once_with('here')
            for name, value, group in (
                    ('images_type', 'qcow2', 'libvirt'),
                    ('images_volume_group', None, 'libvirt'),
                    ('images_volume_group', 'vg9', 'libvirt'),
                    ('snapshot_image_format', 'qcow2', 'libvirt'),
                    ('inject_partition', -1, 'libvirt'),
                    ('force_raw_images', False, None),
                    ('config_drive_format', 'vfat', None),
                    ('enabled', True, 'ephemeral_storage_encryption')):
                CONF.set_override(name, value, group)
                self.assertRaises(
                    exception.NovaException, self.driver.init_host, 'here')
                CONF.clear_override(name, group)
                CONF.set_override('images_type', 'lvm', 'libvirt')
                CONF.set_override('images_volume_group', 'vg0', 'libvirt')
            its.assert_called_once()

    def test_where_tokens_go_has_to_be_said(self):
        """Else it is http://localhost."""
        CONF.clear_override('auth_endpoint', 'barbican')
        # oslo.config takes it for overridden from now on
        CONF._get_opt_info('auth_endpoint', 'barbican').pop('location')
        with mock.patch.object(driver.LibvirtDriver, 'init_host') as its:
            refused = self.failure(exception.InvalidConfiguration,
                                   self.driver.init_host, 'here')
        its.assert_not_called()
        self.assertIn('[barbican] auth_endpoint', str(refused))


class Host(Case):
    def test_room(self):
        self.assertEqual({'total': 10, 'free': 4, 'used': 6},
                         self.driver._get_local_gb_info())

    def test_a_mayfly_that_hangs_is_waited_for_in_vain_once(self):
        """Nova waits with all servers of the host meanwhile."""
        room = self.update()
        self.answer('metrics', hangs=1)
        with mock.patch.object(mayfly, 'METRICS_SEC', 2):
            self.assertEqual(room, self.update())
            failed = self.failure(program.Failed, self.update)
        self.assertIn('no answer in 2 seconds', str(failed))
        self.answer('metrics', metrics=METRICS)
        self.assertEqual(room, self.update())

    def update(self):
        """As Nova does once a minute."""
        with mock.patch.object(
                driver.LibvirtDriver, 'get_available_resource',
                lambda self, nodename: self._get_local_gb_info()):
            return self.driver.get_available_resource('node')

    def test_room_is_asked_for_once_an_update(self):
        """What Nova wants between is the size, with each server."""
        for n in range(2):
            room = self.update()
            self.assertEqual(room, self.driver._get_local_gb_info())
            self.assertEqual(room, self.driver._get_local_gb_info())
            self.assertEqual(['metrics --json --quick'] * (n + 1),
                             self.words())
        self.answer('metrics', error={'name': 'failed', 'text': 'no LVM'})
        self.failure(program.Failed, self.update)
        self.failure(program.Failed, self.driver._get_local_gb_info)

    def test_trait(self):
        tree = mock.Mock()
        with mock.patch.object(driver.LibvirtDriver, 'update_provider_tree'):
            self.driver.update_provider_tree(tree, 'node')
        tree.add_traits.assert_called_once_with(
            'node', 'CUSTOM_MAYFLY_ENCRYPTED')


if __name__ == '__main__':
    unittest.main()
