/* SPDX-License-Identifier: Apache-2.0 */
/* What a BIOS boots from a disk for tests: reads four kilobytes from sector 9 by its services, prints the line that they
 * begin with, writes them to sector 67, prints "written". Both places are unaligned to 4096 bytes on purpose.
 * It loads no code: under QEMU's emulation code that another process has put over older code may not be noticed. */
.code16
.globl _start
_start:
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    movb %dl, drive
    movb $0x42, %ah
    movw $packet, %si
    int $0x13
    jc failed
    movw $0x9000, %si
    call print
    movl $67, sector
    movw $0x4300, %ax
    movb drive, %dl
    movw $packet, %si
    int $0x13
    jc failed
    movw $done, %si
    call print
stop:
    hlt
    jmp stop
failed:
    movw $failure, %si
    call print
    jmp stop

print: /* up to the end of the line, to the first serial port */
    lodsb
    movb %al, %bl
    movw $0x3fd, %dx
wait:
    inb %dx, %al
    testb $0x20, %al
    jz wait
    movw $0x3f8, %dx
    movb %bl, %al
    outb %al, %dx
    cmpb $'\n', %al
    jne print
    ret

packet:
    .byte 16, 0
    .word 8      /* sectors */
    .word 0x9000 /* where to */
    .word 0
sector:
    .long 9
    .long 0
drive:
    .byte 0
done:
    .ascii "written\n"
failure:
    .ascii "failed\n"
    .org 510
    .word 0xaa55
