# SPDX-License-Identifier: Apache-2.0
"""Nova's libvirt driver, with local disks that Mayfly makes, opens, destroys.

In nova.conf of a compute host: compute_driver = mayfly.MayflyDriver, and
[libvirt] images_type = lvm. Nova keeps all that it knows of an instance;
Mayfly keeps each disk as an encrypted logical volume, and its key in Barbican
in the name of whoever asked Nova.

    Nova                             Mayfly
    _create_image     the backend notes the disks;
                      all are made at once     add-disks, rescue, resize
    _create_configdrive                        add-disk --seed-image
    _create_guest     before the guest starts  open --for-start, or its hook
    snapshot          a pipe to Glance         export
    _cleanup_lvm                               delete
"""

import glob
import os
import re
import shutil
import sys

from oslo_config import cfg
from oslo_log import log as logging
from oslo_serialization import jsonutils
from oslo_utils import excutils
from oslo_utils import fileutils

from nova.api.metadata import base as instance_metadata
from nova.compute import task_states
from nova.compute import utils as compute_utils
from nova.compute import vm_states
import nova.conf
from nova import exception
from nova.i18n import _
from nova.image import glance
from nova import utils
from nova.virt import configdrive
from nova.virt import driver as virt_driver
from nova.virt.image import model
from nova.virt.libvirt import driver
from nova.virt.libvirt import imagebackend
from nova.virt import mayfly_program as program

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

TRAIT = 'CUSTOM_MAYFLY_ENCRYPTED'
OF_MAYFLY = re.compile(r'/dev/mapper/[0-9a-f-]{36}_(disk[^/]*)-dmcrypt$')
FILE_SYSTEMS = ('ext4', 'xfs', 'vfat')
IN_RAM = '/dev/shm'
OF_CONFIG_DRIVES = 'nova-config-drive-'
OF_SHELVED = 'of-shelved-'
METRICS_SEC = 60  # Nova waits with all servers of the host meanwhile


def file_system(os_type, wanted):
    """Nova's choice, as far as Mayfly makes it."""
    name = wanted or CONF.default_ephemeral_format
    if not name:
        name = 'ext4' if os_type == 'linux' else 'vfat'
    if name not in FILE_SYSTEMS:
        raise exception.InvalidBDMFormat(
            details=_("%(name)s; Mayfly makes %(ours)s") % {
                'name': name, 'ours': ', '.join(FILE_SYSTEMS)})
    return name


class Disk(imagebackend.Image):
    """A disk of an instance; in the place of Nova's own backend for LVM.

    The driver asks for one disk after the other. They are noted here, and made
    together: all of them, or none.
    """

    SUPPORTS_CLONE = False
    noted = {}  # by the UUID of the instance

    def __init__(self, instance=None, disk_name=None, path=None,
                 disk_info_mapping=None):
        self.uuid = instance.uuid
        self.os_type = instance.os_type
        self.image_meta = instance.image_meta
        self.is_shelved = instance.vm_state in (
            vm_states.SHELVED, vm_states.SHELVED_OFFLOADED)
        if path:
            self.volume = OF_MAYFLY.match(path).group(1)
        else:
            self.volume = self._volume_of(disk_name)
        self.role = self.volume.partition('.')[2] or 'root'
        self.name = disk_name or self.volume
        super(Disk, self).__init__(
            '/dev/mapper/%s_%s-dmcrypt' % (self.uuid, self.volume),
            'block', 'raw', is_block_dev=True,
            disk_info_mapping=disk_info_mapping)
        self.driver_io = 'native'

    def _volume_of(self, name):
        """Nova's disk.local is the first ephemeral one, but where adopted."""
        if name == 'disk.local' and not self._is_there(name):
            return 'disk.eph0'
        # A server in rescue has the config drive that it has always.
        return 'disk.seed' if name.startswith('disk.config') else name

    def _is_there(self, volume):
        return os.path.exists('/dev/%s/%s_%s' % (
            CONF.libvirt.images_volume_group, self.uuid, volume))

    def _supports_encryption(self):
        return True

    def exists(self):
        """Open or not. Mayfly is not asked: it refuses what it must."""
        return self._is_there(self.volume)

    def cache(self, fetch_func, filename, size=None, *args, **kwargs):
        note = {'disk': self, 'size': size}
        if self.role.startswith('eph'):
            note['fs'] = file_system(self.os_type, kwargs.get('specified_fs'))
        elif self.role in ('root', 'rescue') and not self.exists():
            note['image'] = self._fetch(fetch_func, filename, *args, **kwargs)
            self.verify_base_size(note['image'], size)
            note['size'] = size or self.get_disk_size(note['image'])
        self.noted.setdefault(self.uuid, []).append(note)

    def _fetch(self, fetch_func, filename, *args, **kwargs):
        """The image, in Nova's cache, from where several instances have it.

        One of a shelved server is this server's alone, and known by its name.
        """
        for name in ('safe', 'disk_info_mapping'):
            kwargs.pop(name, None)
        folder = self.folder_of_images()
        fileutils.ensure_tree(folder)
        base = os.path.join(
            folder, OF_SHELVED + filename if self.is_shelved else filename)

        @utils.synchronized(filename, external=True, lock_path=self.lock_path)
        def fetch():
            if os.path.exists(base):
                os.utime(base)  # the cache manager sees that it is used
            else:
                fetch_func(target=base, *args, **kwargs)

        fetch()
        return base

    @staticmethod
    def folder_of_images():
        return os.path.join(CONF.instances_path,
                            CONF.image_cache.subdirectory_name)

    def create_image(self, *args, **kwargs):
        raise NotImplementedError()  # cache() is all that the driver calls

    def resize_image(self, size):
        raise NotImplementedError()

    def direct_snapshot(self, context, snapshot_name, image_format, image_id,
                        base_image_id):
        """Sends it to Glance while it is read; no file is made of it."""
        # The formats that Nova says afterwards: they are fixed from now on.
        image = {'disk_format': 'raw', 'container_format': 'bare'}
        if self._format_of_image('disk') == 'ami':
            image['disk_format'] = 'ami'
        if self._format_of_image('container'):
            image['container_format'] = self._format_of_image('container')
        with program.begin_export(context, self.uuid, self.role) as data:
            kept = glance.API().update(context, image_id, image, data,
                                       purge_props=False)
            data.check_read(kept['size'])

    def _format_of_image(self, what):
        name = what + '_format'
        return (self.image_meta.obj_attr_is_set(name) and
                getattr(self.image_meta, name))

    def snapshot_extract(self, target, out_format):
        """What Nova would do otherwise: a file in plaintext."""
        raise program.Failed(verb='export', reason=_(
            "the snapshot was not sent to the image service"))

    def get_model(self, connection):
        return model.LocalBlockImage(self.path)


def _refuse(error):
    """For what cannot be: the instance goes on as it was."""
    return exception.InstanceFaultRollback(error)


def _way_out(error):
    """Of a start by the host's right, which libvirt's hook has refused."""
    libvirt = driver.libvirt
    if (not isinstance(error, libvirt.libvirtError) or
            error.get_error_code() != libvirt.VIR_ERR_HOOK_SCRIPT_FAILED):
        return error
    # Nova keeps 255 characters, and libvirt begins with the hook's command.
    return program.Failed(verb='hook', reason=_(
        "this host did not open the disks; if it may not have the key, the "
        "owner starts the server by a hard reboot: %s") %
        re.sub('.* unexpected exit status [0-9]+: ', '', str(error)))


def _has_local_disks(instance):
    flavor = instance.flavor
    return bool(instance.image_ref or flavor.ephemeral_gb or flavor.swap)


class _ConfigDrive(configdrive.ConfigDriveBuilder):
    """What it is made of is not in [DEFAULT] tempdir, but beside it."""

    def make_drive(self, path):
        with utils.tempdir(dir=os.path.dirname(path)) as folder:
            self._write_md_files(folder)
            self._make_iso9660(path, folder)


class MayflyDriver(driver.LibvirtDriver):
    def __init__(self, virtapi, read_only=False):
        super(MayflyDriver, self).__init__(virtapi, read_only)
        self.image_backend.BACKEND['lvm'] = Disk
        # A rescue disk needs the key of a disk that is there.
        self.capabilities['supports_bfv_rescue'] = False
        self._contexts = {}  # of instances that are cleaned up, by UUID
        self._in_order = set()  # projects that have no keys left behind

    def init_host(self, host):
        self._check_configuration()
        self._remove_what_was_left()
        if CONF.reclaim_instance_interval > 0:
            LOG.warning("reclaim_instance_interval: Nova deletes servers "
                        "without their owners' rights, and Mayfly leaves the "
                        "keys until an owner deletes a server on this host")
        super(MayflyDriver, self).init_host(host)

    def _check_configuration(self):
        """What would write, or expect, something in plaintext, or tell it."""
        libvirt = CONF.libvirt
        wrong = [what for is_wrong, what in (
            (libvirt.images_type != 'lvm', '[libvirt] images_type: say lvm'),
            (not libvirt.images_volume_group,
             '[libvirt] images_volume_group: say one of mayfly.conf'),
            (libvirt.snapshot_image_format not in (None, 'raw'),
             '[libvirt] snapshot_image_format: leave it out, or say raw'),
            (libvirt.inject_partition != -2,
             '[libvirt] inject_partition: leave it at -2'),
            (not CONF.force_raw_images,
             '[DEFAULT] force_raw_images: leave it at true'),
            (CONF.config_drive_format != 'iso9660',
             '[DEFAULT] config_drive_format: leave it at iso9660'),
            (CONF.ephemeral_storage_encryption.enabled,
             '[ephemeral_storage_encryption] enabled: leave it at false; '
             'mayfly.conf says it'),
            (self._is_default('auth_endpoint', 'barbican'),
             '[barbican] auth_endpoint: say where Keystone is'),
        ) if is_wrong]
        if wrong:
            raise exception.InvalidConfiguration(
                "MayflyDriver: " + "; ".join(wrong))
        self._room()  # is the group there, and Mayfly?

    @staticmethod
    def _is_default(name, group):
        where = CONF.get_location(name, group).location
        return where in (cfg.Locations.opt_default, cfg.Locations.set_default)

    # ---------------------------------------------------------------- making

    def spawn(self, context, instance, *args, **kwargs):
        """Where no other host could build it either Nova is told why.

        Else Nova tries other hosts, and tells only that none was left.
        """
        if configdrive.required_by(instance) and not _has_local_disks(
                instance):
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid, reason=_(
                    "a server that has only volumes cannot have a config "
                    "drive on this host; take a flavor with an ephemeral or "
                    "swap disk, or the metadata service"))
        try:
            super(MayflyDriver, self).spawn(context, instance, *args, **kwargs)
        except program.Failed as e:
            if (e.kwargs.get('name') != program.DENIED or
                    instance.vm_state != vm_states.BUILDING):
                raise
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid, reason=e.format_message())

    def _create_image(self, context, instance, *args, **kwargs):
        Disk.noted.pop(instance.uuid, None)
        try:
            made = super(MayflyDriver, self)._create_image(
                context, instance, *args, **kwargs)
            self._make(context, instance, Disk.noted.get(instance.uuid, []))
        finally:
            self._forget_images(Disk.noted.pop(instance.uuid, []))
        return made

    def _make(self, context, instance, noted):
        if any(note['disk'].role == 'rescue' for note in noted):
            self._add_rescue_disk(context, instance, noted)
        elif any(note['disk'].exists() for note in noted):
            if instance.task_state != task_states.RESIZE_FINISH:
                raise program.Failed(verb='add-disks', reason=_(
                    "disks of this server are here already, with what they "
                    "held: mayfly delete removes them"))
            self._grow(context, instance, noted)
        elif noted:
            self._add_disks(context, instance, noted)

    @staticmethod
    def _forget_images(noted):
        """What a server held when it was shelved stays in no cache."""
        for note in noted:
            if 'image' in note and note['disk'].is_shelved:
                fileutils.delete_if_exists(note['image'])

    def _add_disks(self, context, instance, noted):
        words = ['--volume-group', CONF.libvirt.images_volume_group]
        for note in noted:
            disk = note['disk']
            if disk.role == 'root':
                words += ['--root', str(note['size']), '--image',
                          note['image'], '--image-format', 'raw']
            elif disk.role == 'swap':
                words += ['--swap', str(note['size'])]
            else:
                words += ['--ephemeral',
                          '%d,fs=%s' % (note['size'], note['fs'])]
        document = program.run(
            context, 'add-disks', '--uuid', instance.uuid, *words,
            instance.name)
        self._check_encrypted(context, instance, document['instances'][0])
        if (program.token_of(context) and
                context.project_id != instance.project_id):
            self._grant_to_owner(context, instance)

    def _grant_to_owner(self, context, instance):
        """An administrator's evacuate, rebuild: the key is in his project."""
        try:
            program.run(context, 'key grant', instance.uuid,
                        '--user', instance.user_id)
        except program.Failed as e:
            LOG.warning('%s; the owner cannot start the server', e,
                        instance=instance)

    def _check_encrypted(self, context, instance, made):
        """The trait promises it, whatever mayfly.conf says by now."""
        if all(disk['encrypted'] for disk in made['disks']):
            return
        program.run(context, 'delete', '--yes', instance.uuid, absent=True)
        raise program.Failed(verb='add-disks', reason=_(
            "the disks would not be encrypted: see enabled in mayfly.conf"))

    def _add_rescue_disk(self, context, instance, noted):
        rescue, = [note for note in noted if note['disk'].role == 'rescue']
        program.run(context, 'rescue', instance.uuid, '--disk-only',
                    '--image', rescue['image'], '--image-format', 'raw')

    def _grow(self, context, instance, noted):
        """Disks that are there: to the size of the flavor, never back."""
        shown = program.run(context, 'show', instance.uuid)['instance']
        sizes = {disk['role']: disk['size_bytes'] for disk in shown['disks']}
        for note in noted:
            role = note['disk'].role
            if role not in sizes:
                raise program.Failed(verb='resize', reason=_(
                    "the instance has no disk %s") % role)
            if note['size'] and note['size'] > sizes[role]:
                program.run(context, 'resize', instance.uuid,
                            str(note['size']), '--disk', role)

    @staticmethod
    def _get_disk_config_image_type():
        """Of the config drive, which Nova keeps in a file in plaintext."""
        return 'lvm'

    def _create_configdrive(self, context, instance, injection_info,
                            rescue=False):
        """As Nova's, but that it never lies in a file of the host's."""
        instance.device_metadata = self._build_device_metadata(
            context, instance)
        disk = self.image_backend.by_name(
            instance, 'disk.config', self._get_disk_config_image_type())
        if not configdrive.required_by(instance) or disk.exists():
            return
        secrets = {}
        if injection_info.admin_pass:
            secrets['admin_pass'] = injection_info.admin_pass
        metadata = instance_metadata.InstanceMetadata(
            instance, content=injection_info.files, extra_md=secrets,
            network_info=injection_info.network_info)
        with utils.tempdir(dir=IN_RAM, prefix=OF_CONFIG_DRIVES) as folder:
            path = os.path.join(folder, 'disk')
            _ConfigDrive(metadata).make_drive(path)
            program.run(context, 'add-disk', instance.uuid,
                        '--seed-image', path)

    def _remove_what_was_left(self):
        """In plaintext, by a nova-compute that was killed."""
        for folder in glob.glob(os.path.join(IN_RAM, OF_CONFIG_DRIVES + '*')):
            shutil.rmtree(folder, ignore_errors=True)
        for image in glob.glob(os.path.join(Disk.folder_of_images(),
                                            OF_SHELVED + '*')):
            fileutils.delete_if_exists(image)

    # --------------------------------------------------------------- starting

    def _open(self, context, instance):
        """With the key of whoever asks, for this start.

        Libvirt's hook closes them when the guest ends. It opens them, too,
        by the host's right, where there is no token (the host's password is
        root's, not nova-compute's), or the key is not of who asks.
        """
        if not program.token_of(context):
            return None
        try:
            return program.run(context, 'open', '--for-start',
                               instance.uuid, absent=True)
        except program.Failed as e:
            if e.kwargs.get('name') != program.DENIED:
                raise
            LOG.info('%s; the host is asked', e, instance=instance)
            return None

    def reboot(self, context, instance, *args, **kwargs):
        """Without a token it is one that nova-compute goes on with at start.

        An error would end nova-compute: so it is only noted.
        """
        try:
            super(MayflyDriver, self).reboot(
                context, instance, *args, **kwargs)
        except Exception as e:
            if program.token_of(context):
                raise
            LOG.exception('The server stays off', instance=instance)
            compute_utils.add_instance_fault_from_exc(
                context, instance, _way_out(e), sys.exc_info())

    def _hard_reboot(self, context, instance, *args, **kwargs):
        """Of a guest that is off nothing is touched until its key is there."""
        if not self._runs(instance):
            self._open(context, instance)
        return super(MayflyDriver, self)._hard_reboot(
            context, instance, *args, **kwargs)

    def _runs(self, instance):
        """Or may run, where libvirt does not tell: Nova sees to that."""
        try:
            return self._host.get_guest(instance).is_active()
        except exception.InstanceNotFound:
            return False
        except (exception.InternalError, driver.libvirt.libvirtError):
            return True

    def resume_state_on_host_boot(self, context, instance, *args, **kwargs):
        """A server whose key is not the host's waits for its owner."""
        try:
            super(MayflyDriver, self).resume_state_on_host_boot(
                context, instance, *args, **kwargs)
        except Exception as e:
            with excutils.save_and_reraise_exception():
                compute_utils.add_instance_fault_from_exc(
                    context, instance, _way_out(e), sys.exc_info())

    def _create_guest(self, context, xml, instance, power_on=True, pause=False,
                      post_xml_callback=None):
        """Opens them between the callback, which may make one, and start."""
        self._remove_rescue_disk(context, instance, xml)
        opened = None

        def defined():
            nonlocal opened
            if post_xml_callback is not None:
                post_xml_callback()
            if power_on or pause:
                opened = self._open(context, instance)

        try:
            return super(MayflyDriver, self)._create_guest(
                context, xml, instance, power_on=power_on, pause=pause,
                post_xml_callback=defined)
        except Exception:
            with excutils.save_and_reraise_exception():
                if opened:
                    self._close(instance)

    def _close(self, instance):
        try:
            program.run(None, 'close', instance.uuid, absent=True)
        except program.Failed as e:
            LOG.warning('%s; mayfly recover closes them', e, instance=instance)

    def _get_instance_disk_info_from_config(self, guest_config,
                                            block_device_info):
        """Without Mayfly's disks, which are closed while the guest is off.

        Nova would measure them, and make files in the place of the missing.
        """
        guest_config.devices = [
            device for device in guest_config.devices if not OF_MAYFLY.match(
                getattr(device, 'source_path', None) or '')]
        return super(MayflyDriver, self)._get_instance_disk_info_from_config(
            guest_config, block_device_info)

    # ------------------------------------------------------------------ ending

    def _cleanup(self, context, instance, *args, **kwargs):
        self._contexts[instance.uuid] = context  # _cleanup_lvm() has none
        try:
            return super(MayflyDriver, self)._cleanup(
                context, instance, *args, **kwargs)
        finally:
            self._contexts.pop(instance.uuid, None)

    def _cleanup_lvm(self, instance, block_device_info):
        """An administrator may delete it, whose the key is not.

        Then the disks go, and the key at the next delete in its project.
        """
        context = self._contexts.get(instance.uuid)
        if instance.uuid in program.Export.running:
            program.Export.running[instance.uuid].end()
        gone = program.run(context, 'delete', '--yes', '--leave-key',
                           instance.uuid, absent=True)
        if not _has_local_disks(instance):
            return
        # A create that was killed may have got as far as the key.
        if (not gone or not program.token_of(context) or
                context.project_id != instance.project_id):
            self._in_order.discard(instance.project_id)
        if (program.token_of(context) and
                context.project_id not in self._in_order):
            program.recover(context)
            self._in_order.add(context.project_id)

    def _lvm_disks(self, instance):
        """None that Nova is to remove."""
        return []

    # ------------------------------------------------------------------ rescue

    def rescue(self, context, instance, *args, **kwargs):
        """Not from the disk that a rescue before has left."""
        self._remove_rescue_disk(context, instance)
        super(MayflyDriver, self).rescue(context, instance, *args, **kwargs)

    def _remove_rescue_disk(self, context, instance, xml=''):
        """Before each start without it, since an unrescue may be cut off."""
        disk = self.image_backend.by_name(instance, 'disk.rescue')
        if disk.exists() and disk.path not in xml:
            program.run(context, 'unrescue', instance.uuid, '--disk-only')

    # ---------------------------------------------------------------- snapshot

    def _suspend_guest_for_snapshot(self, *args, **kwargs):
        """Mayfly reads a snapshot of LVM's: the guest runs on."""

    def _resume_guest_after_snapshot(self, *args, **kwargs):
        pass

    # ----------------------------------------------- what cannot be, or not so

    def suspend(self, context, instance):
        raise _refuse(program.Failed(verb='suspend', reason=_(
            "the memory of the guest would be written to the host in "
            "plaintext; shut it down, or pause it")))

    def check_can_live_migrate_destination(self, context, instance, *args,
                                           **kwargs):
        if _has_local_disks(instance):
            raise exception.MigrationPreCheckError(reason=_(
                "disks of Mayfly stay on their host"))
        return super(MayflyDriver, self).check_can_live_migrate_destination(
            context, instance, *args, **kwargs)

    def migrate_disk_and_power_off(self, context, instance, dest, flavor,
                                   network_info, block_device_info=None,
                                   timeout=0, retry_interval=0):
        """On this host the root disk grows; finish_migration() sees to it."""
        old = instance.flavor
        if not _has_local_disks(instance):
            return super(MayflyDriver, self).migrate_disk_and_power_off(
                context, instance, dest, flavor, network_info,
                block_device_info, timeout, retry_interval)
        if dest != self.get_host_ip_addr():
            raise _refuse(exception.MigrationPreCheckError(reason=_(
                "disks of Mayfly stay on their host")))
        if (flavor.root_gb < old.root_gb or flavor.swap != old.swap or
                flavor.ephemeral_gb != old.ephemeral_gb):
            raise _refuse(exception.ResizeError(reason=_(
                "only the root disk can become larger")))
        self.power_off(instance, timeout, retry_interval)
        self.unplug_vifs(instance, network_info)
        for volume in virt_driver.block_device_info_get_mapping(
                block_device_info):
            self._disconnect_volume(
                context, volume['connection_info'], instance)
        return jsonutils.dumps([])  # nothing has to be carried over

    # -------------------------------------------------------------- the host

    _last_room = None  # that was not told twice
    _room_is_new = False

    def get_available_resource(self, nodename):
        """Once a minute; between, Nova wants the size of the group alone."""
        MayflyDriver._room_is_new = False
        return super(MayflyDriver, self).get_available_resource(nodename)

    @staticmethod
    def _get_local_gb_info():
        """Where Mayfly does not answer in time, once what it said last."""
        if MayflyDriver._room_is_new:
            return MayflyDriver._last_room
        room, MayflyDriver._last_room = MayflyDriver._last_room, None
        try:
            room = MayflyDriver._last_room = MayflyDriver._room()
            MayflyDriver._room_is_new = True
        except program.Failed as e:
            if e.kwargs.get('name') != program.TIMED_OUT or room is None:
                raise
            LOG.warning('%s', e)
        return room

    @staticmethod
    def _room():
        figures = program.run(None, 'metrics', '--quick',
                              timeout_sec=METRICS_SEC)['metrics']
        group = CONF.libvirt.images_volume_group
        room = {figure['name']: figure['value'] for figure in figures
                if figure['labels'].get('volume_group') == group}
        try:
            total = float(room['mayfly_volume_group_size_bytes']) / 2 ** 30
            free = float(room['mayfly_volume_group_free_bytes']) / 2 ** 30
        except KeyError:
            raise program.Failed(verb='metrics', reason=_(
                "volume group %s is not there, or not in mayfly.conf") % group)
        return {'total': total, 'free': free, 'used': total - free}

    def update_provider_tree(self, provider_tree, nodename, allocations=None):
        super(MayflyDriver, self).update_provider_tree(
            provider_tree, nodename, allocations=allocations)
        provider_tree.add_traits(nodename, TRAIT)
