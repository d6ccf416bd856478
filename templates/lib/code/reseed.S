# Makes the kernel's random generator take its key anew from the entropy pool, now: ioctl RNDRESEEDCRNG on
# /dev/urandom. Exit code 1 when it cannot be opened, 2 when the kernel refuses.
# reseed.hex is this file's machine code, see start.S; it is the whole program.

.set base, 0x400000
.text
.code64
begin:
	.byte	0x7f, 'E', 'L', 'F', 2, 1, 1, 0
	.quad	0
	.word	2, 62
	.long	1
	.quad	base + entry - begin, header - begin, 0
	.long	0
	.word	64, 56, 1, 0, 0, 0
header:
	.long	1, 5
	.quad	0, base, base, end - begin, end - begin, 0x1000
device:
	.asciz	"/dev/urandom"
entry:
	mov	$2, %eax		# open(device, O_WRONLY)
	lea	device(%rip), %rdi
	mov	$1, %esi
	syscall
	mov	$1, %edi
	test	%eax, %eax
	js	1f
	mov	%eax, %edi		# ioctl(descriptor, RNDRESEEDCRNG)
	mov	$16, %eax
	mov	$0x5207, %esi
	xor	%edx, %edx
	syscall
	mov	$2, %edi
	test	%eax, %eax
	js	1f
	xor	%edi, %edi
1:	mov	$60, %eax		# exit
	syscall
end:
