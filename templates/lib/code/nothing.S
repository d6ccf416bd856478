# Succeeds at once. Stands in for /sbin/hwclock, without which the guest agent refuses to set the clock: a session's
# hardware clock is the host's and needs no writing, and the usual program waits up to a second for it.
# nothing.hex is this file's machine code, see start.S; it is the whole program.

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
entry:
	mov	$60, %eax
	xor	%edi, %edi
	syscall
end:
