# Starts a kernel that lies unpacked before the initrd. Debian's generic kernel is packed with xz, and unpacking that
# under emulation takes longer than the whole rest of a small guest's boot.
#
# Runs in the place of the kernel's own unpacker: Debian's real-mode part (which asks the firmware for memory and screen,
# so that the VGA text console works) jumps here, at 0x100000, with 32-bit flat segments and %esi at the boot parameters.
# QEMU has put the initrd at the end of memory: [kernel as it lies in memory][cpio]. The kernel is copied down to the
# address it is linked for, the initrd cut to its cpio, and the kernel entered as its unpacker would (Linux,
# Documentation/arch/x86/boot.rst, "64-bit boot protocol"). The kernel is not moved about: as with "nokaslr".
#
# `start.hex` is this file's machine code, so that no assembler is needed to build a template:
#   as --64 -o start.o start.S && objcopy -O binary -j .text start.o start.bin && xxd -p start.bin > start.hex

.set ramdisk_image, 0x218
.set ramdisk_size, 0x21c
.set kernel, 0x1000000
.set here, 0x100000
.set pages, 0x110000

.text
.code32
begin:
	jmp start
	.balign 8
# Written by the build, each four bytes:
cpio_offset: .long 0	# from the beginning of the initrd
kernel_words: .long 0	# eight bytes each
empty_words: .long 0	# that follow it in memory, up to the end of what it needs
cpio_size: .long 0
kernel_end: .long 0	# address

start:
	cli
	cld
	mov	%esi, %ebp
	mov	ramdisk_image(%ebp), %ebx
	cmp	$kernel, %ebx
	jb	too_small
	mov	%ebx, %eax
	add	here + cpio_offset - begin, %eax
	cmp	here + kernel_end - begin, %eax
	jb	too_small
	mov	%eax, ramdisk_image(%ebp)
	mov	here + cpio_size - begin, %eax
	mov	%eax, ramdisk_size(%ebp)

	# The first 4 GiB are mapped to themselves, in pages of 2 MiB.
	mov	$pages, %edi
	xor	%eax, %eax
	mov	$6 * 1024, %ecx
	rep stosl
	movl	$pages + 0x1003, pages
	movl	$pages + 0x2003, pages + 0x1000
	movl	$pages + 0x3003, pages + 0x1008
	movl	$pages + 0x4003, pages + 0x1010
	movl	$pages + 0x5003, pages + 0x1018
	mov	$pages + 0x2000, %edi
	mov	$0x83, %eax
	mov	$4 * 512, %ecx
1:	mov	%eax, (%edi)
	add	$0x200000, %eax
	add	$8, %edi
	loop	1b

	# Long mode.
	lgdt	here + gdt_pointer - begin
	mov	%cr4, %eax
	or	$0x20, %eax
	mov	%eax, %cr4
	mov	$pages, %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx
	rdmsr
	or	$0x100, %eax
	wrmsr
	mov	%cr0, %eax
	or	$0x80000001, %eax
	mov	%eax, %cr0
	ljmp	$0x10, $here + long - begin

# Not enough memory: says so on the serial port and rings the panic device.
too_small:
	mov	$here + words - begin, %esi
	mov	$0x3f8, %dx
	mov	$words_end - words, %ecx
	rep outsb
	mov	$0x505, %dx
	mov	$1, %al
	out	%al, %dx
2:	hlt
	jmp	2b
words:
	.ascii "bulkhead: the guest has too little memory for its kernel; give it 96MiB or more\r\n"
words_end:

.code64
long:
	mov	$0x18, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	# Downwards: where the two overlap, what is overwritten has been copied. Upper halves are zero after 32-bit moves.
	mov	%ebx, %esi
	mov	$kernel, %edi
	mov	kernel_words(%rip), %ecx
	rep movsq
	xor	%eax, %eax
	mov	empty_words(%rip), %ecx
	rep stosq
	mov	%ebp, %esi
	mov	$kernel, %eax
	jmp	*%rax

	.balign 8
gdt:
	.quad 0
	.quad 0
	.quad 0x00af9a000000ffff
	.quad 0x00cf92000000ffff
gdt_pointer:
	.word gdt_pointer - gdt - 1
	.long here + gdt - begin
	.balign 16
