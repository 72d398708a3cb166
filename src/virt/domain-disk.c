/* SPDX-License-Identifier: Apache-2.0 */
/* The <disk> of one of our disks. See domain-write.h.
 *
 *     <disk type='block'>       a device of the host, which QEMU opens
 *     <disk type='vhostuser'>   a socket of another process, which serves the disk and decides how it is read
 *                               and written. libvirt refuses cache, serial and readonly then
 */
#include "virt/domain-build.h"

#include <inttypes.h>
#include <stdio.h>

#define RECONNECT_SEC "1" /* until QEMU tries again, if the process that serves the disk has ended */

bool domain_plain_text(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20)
            return false;
    return xmlCheckUTF8((const unsigned char *)text);
}

bool domain_plain_disk(const struct domain_disk *d)
{
    return domain_plain_text(d->device_path) && (!d->serial || domain_plain_text(d->serial));
}

/* Adds the <driver>. mayfly.conf(5), DISKS IN LIBVIRT, gives the reasons. What is left out has the right
 * default: as many queues as processors (QEMU 5.2), queues of 256, no detection of zeroes, discards
 * ignored. */
static xmlNodePtr add_driver(xmlNodePtr disk, const struct domain_disk *d, uint32_t iothread)
{
    char id[16];
    snprintf(id, sizeof id, "%" PRIu32, iothread);
    xmlNodePtr driver = attribute(attribute(add(disk, "driver"), "name", "qemu"), "type", "raw");
    driver = attribute(attribute(driver, "cache", "none"), "io", d->io_uring ? "io_uring" : "native");
    if (d->discard)
        driver = attribute(driver, "discard", "unmap");
    return iothread ? attribute(driver, "iothread", id) : driver;
}

static bool put_target(xmlNodePtr disk, const struct disk_place *place)
{
    return attribute(attribute(add(disk, "target"), "dev", place->target), "bus", "virtio");
}

static xmlNodePtr add_device(xmlNodePtr devices, const struct domain_disk *d, const struct disk_place *place)
{
    xmlNodePtr disk = attribute(attribute(add(devices, "disk"), "type", "block"), "device", "disk");
    bool ok = add_driver(disk, d, place->iothread) && attribute(add(disk, "source"), "dev", d->device_path) &&
              put_target(disk, place);
    if (d->sector_bytes == 4096) {
        xmlNodePtr sizes = attribute(add(disk, "blockio"), "logical_block_size", "512");
        ok = ok && attribute(sizes, "physical_block_size", "4096");
    }
    if (d->read_only)
        ok = ok && add(disk, "readonly");
    if (d->serial)
        ok = ok && set_text(add(disk, "serial"), d->serial);
    return ok ? disk : NULL;
}

static xmlNodePtr add_socket(xmlNodePtr devices, const struct domain_disk *d, const struct disk_place *place)
{
    xmlNodePtr disk = attribute(attribute(add(devices, "disk"), "type", "vhostuser"), "device", "disk");
    bool ok = attribute(attribute(add(disk, "driver"), "name", "qemu"), "type", "raw");
    xmlNodePtr source = attribute(attribute(add(disk, "source"), "type", "unix"), "path", d->device_path);
    ok = ok && attribute(attribute(add(source, "reconnect"), "enabled", "yes"), "timeout", RECONNECT_SEC);
    return ok && put_target(disk, place) ? disk : NULL;
}

xmlNodePtr domain_add_disk(xmlNodePtr devices, const struct domain_disk *d, const struct disk_place *place,
                           bool boots)
{
    xmlNodePtr disk = d->vhost_user ? add_socket(devices, d, place) : add_device(devices, d, place);
    if (boots && !attribute(add(disk, "boot"), "order", "1"))
        return NULL;
    return disk;
}

int domain_disk_xml(const struct domain_disk *d, const struct disk_place *place, char **ret_xml,
                    struct error *e)
{
    if (!domain_plain_disk(d))
        return error_set(e, -EINVAL, "disk: its path or serial has characters that XML cannot hold");
    _cleanup_(xmlFreeDocp) xmlDocPtr doc = xmlNewDoc(BAD_CAST "1.0");
    xmlNodePtr root = doc ? xmlNewDocNode(doc, NULL, BAD_CAST "devices", NULL) : NULL;
    if (!root)
        return error_memory(e);
    xmlDocSetRootElement(doc, root);
    if (!domain_add_disk(root, d, place, false))
        return error_memory(e);
    xmlDocSetRootElement(doc, root->children);
    xmlFreeNode(root);
    return domain_write(doc, ret_xml, e);
}
